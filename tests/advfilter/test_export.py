"""The purifier, alone or before a classifier: exported, compiled, and among transforms."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import robust_restoration as rr

BATCH = {0: torch.export.Dim("batch")}


@pytest.fixture
def subject(request: pytest.FixtureRequest, tiny_classifier: nn.Module) -> nn.Module:
    """A purifier by name, or the default one before a classifier."""
    if request.param == "before a classifier":
        return rr.PurifiedClassifier(tiny_classifier).eval()
    weights = "general-32" if request.param == "advfilter" else None
    made: nn.Module = rr.create_purifier(request.param, weights=weights).eval()
    return made


both = pytest.mark.parametrize(
    "subject",
    [pytest.param("advfilter", marks=pytest.mark.exhaustive), "before a classifier"],
    indirect=True,
)


@pytest.mark.slow
@both
def test_exported_for_any_number_of_images(subject: nn.Module, images: Tensor) -> None:
    program = torch.export.export(subject, (images[:2],), dynamic_shapes=(BATCH,))
    for count in (1, 3, 4):
        found = program.module()(images[:count])
        torch.testing.assert_close(found, subject(images[:count]), atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@both
def test_in_onnx_for_any_number_of_images(
    subject: nn.Module, images: Tensor, tmp_path: Path
) -> None:
    pytest.importorskip("onnxscript", reason="the extra 'onnx' is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="the extra 'onnx' is not installed")
    path = str(tmp_path / "it.onnx")
    torch.onnx.export(
        subject, (images[:2],), path, dynamo=True, opset_version=18, dynamic_shapes=(BATCH,),
        input_names=["images"], verbose=False,
    )
    session = runtime.InferenceSession(path)
    for count in (1, 3, 4):
        (found,) = session.run(None, {"images": images[:count].numpy()})
        expected = subject(images[:count]).detach()
        torch.testing.assert_close(torch.from_numpy(found), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@both
def test_compiled_without_a_break_and_with_gradients(subject: nn.Module, images: Tensor) -> None:
    subject.requires_grad_(False)
    compiled = torch.compile(subject, backend="eager", fullgraph=True)
    found = []
    for made in (compiled, subject):
        leaf = images[:3].clone().requires_grad_()
        out = made(leaf)
        out.square().sum().backward()
        found.append((out.detach(), leaf.grad))
    torch.testing.assert_close(found[0], found[1], atol=1e-4, rtol=1e-4)


def test_it_is_one_of_a_pipelines_transforms(images: Tensor) -> None:
    from torchvision.transforms import Compose, Normalize, ToTensor
    from torchvision.transforms.functional import to_pil_image

    purifier = rr.create_purifier("advfilter", weights="general-32").requires_grad_(False)
    mean, std = (0.5,) * 3, (0.25,) * 3
    pipeline = Compose([ToTensor(), purifier, Normalize(mean, std)])
    loader = torch.utils.data.DataLoader(
        [pipeline(to_pil_image(image)) for image in images], batch_size=len(images)
    )
    expected = (purifier((images * 255).byte() / 255) - 0.5) / 0.25
    torch.testing.assert_close(next(iter(loader)), expected, atol=0.1, rtol=0)
    assert torch.equal(purifier(images[0]), purifier(images[:1])[0])
    for other in (rr.Chain(purifier), rr.create_purifier("median"), rr.create_purifier("jpeg")):
        assert other(images[0]).shape == images[0].shape

"""Lipschitz constants and sensitivity, against matrices that are written down."""

import pytest
import torch
from robust_restoration_studies import lipschitz, local_worst_case, sensitivity_map
from torch import nn

import robust_restoration as rr
from robust_restoration.errors import InputError


@pytest.fixture
def convolution():
    torch.manual_seed(0)
    return nn.Conv2d(2, 2, 3, padding=1).double()


@pytest.fixture
def images():
    return torch.rand(2, 2, 7, 6, generator=torch.Generator().manual_seed(1)).double()


def matrix_of(module, image):
    columns = torch.autograd.functional.jacobian(module, image[None])
    return columns.reshape(image.numel(), image.numel())


def test_a_convolution_s_lipschitz_constant_is_its_largest_singular_value(convolution, images):
    size, along = lipschitz(convolution, images, steps=300)
    _, values, right = torch.linalg.svd(matrix_of(convolution, images[0]))
    assert size.tolist() == pytest.approx([float(values[0].detach())] * 2, rel=1e-3)
    assert abs(float(along[0].flatten() @ right[0].detach())) == pytest.approx(1.0, abs=2e-3)
    # From below, whatever the number of steps.
    early, _ = lipschitz(convolution, images, steps=3)
    assert bool((early <= size * (1 + 1e-9)).all())


def test_a_network_s_is_its_jacobian_s():
    torch.manual_seed(2)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.Softplus(), nn.Conv2d(4, 1, 3, padding=1)
    ).double()
    image = torch.rand(1, 1, 6, 6).double()
    values = torch.linalg.svdvals(matrix_of(model, image[0]))
    size, along = lipschitz(model, image, steps=300)
    assert float(size) == pytest.approx(float(values[0].detach()), rel=1e-3)
    step = 1e-5 * along
    with torch.no_grad():
        stretched = (model(image + step) - model(image)).norm() / step.norm()
    assert float(stretched) == pytest.approx(float(size), rel=1e-3)


def test_the_map_is_the_norms_of_columns(convolution, images):
    found = sensitivity_map(convolution, images, probes=1500)
    exact = matrix_of(convolution, images[0]).norm(dim=0).view(2, 7, 6)
    assert torch.allclose(found[0], exact, rtol=0.12)
    assert torch.allclose(sensitivity_map(nn.Identity(), images, probes=1500), 0 * images + 1,
                          rtol=0.12)


def test_modes_and_flags_are_put_back(images):
    model = rr.create_denoiser("dncnn_test").train()
    lipschitz(model, images[:, :1].float(), steps=2)
    assert model.training
    assert all(p.requires_grad for p in model.parameters())
    assert all(p.grad is None for p in model.parameters())


def test_stability_beside_quality(tmp_path):
    class Constant(nn.Module):
        def forward(self, noisy):
            return 0 * noisy + 0.5

    clean = nn.functional.interpolate(torch.rand(2, 1, 4, 4), size=(16, 16), mode="bilinear")
    blur = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    found = local_worst_case({"blur": blur, "constant": Constant()}, clean, steps=20, probes=8)
    assert found.lipschitz["constant"] == [0.0, 0.0]
    assert found.psnr["constant"][0] < found.psnr["blur"][0]
    assert all(0.9 < size < 1.3 for size in found.lipschitz["blur"])
    assert "Lipschitz" in found.to_markdown()
    found.plot(tmp_path / "found.png")
    assert "pictures" not in found.to_dict()


def test_bad_input(images):
    class Rounds(nn.Module):
        def forward(self, noisy):
            return noisy.detach().round()

    with pytest.raises(InputError, match="gives no gradient"):
        lipschitz(Rounds(), images)
    with pytest.raises(InputError, match="There is no denoiser"):
        local_worst_case({}, images)
    with pytest.raises(InputError, match="steps is 0"):
        lipschitz(nn.Identity(), images, steps=0)

"""What purify() says of classifiers and images that do not go together."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import robust_restoration as rr
from robust_restoration.errors import InputError, WeightsError
from robust_restoration.models.classifiers import NormalizationWarning


def classifier(channels: int = 3, **config: Any) -> nn.Module:
    first = nn.Conv2d(channels, 4, 3, padding=1)
    made = nn.Sequential(first, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    if config:
        made.pretrained_cfg = config  # type: ignore[assignment]
    return made.eval()


WITHOUT_CONVOLUTIONS = nn.Sequential(nn.Flatten(), nn.Linear(1024, 4))


@pytest.mark.parametrize(
    ("subject", "change", "error", "message"),
    [
        ("resnet18", None, InputError, "expected a torch module: robust_restoration.load_classi"),
        (classifier(1), lambda x: x[:, :1], WeightsError, "no weights for 1-channel images"),
        (classifier(6), lambda x: x.repeat(1, 2, 1, 1), WeightsError, "for 6-channel images"),
        (WITHOUT_CONVOLUTIONS, lambda x: x[:, :1], InputError, "has 1 channels .* expected 3"),
        (classifier(), lambda x: x.to("meta"), InputError, r"on meta and the classifier on cpu"),
        (classifier(mean=(0.5,) * 2, std=(0.5,) * 2), None, InputError, "number a channel each, 3"),
        (classifier(mean=(0.5,) * 3), None, InputError, "has mean alone"),
        (classifier(std=(0.5,) * 3), None, InputError, "has std alone"),
        (classifier(mean=0.5, std=0.5), None, InputError, "mean=0.5; expected a tuple"),
        (classifier(input_size=(3, 0, 0)), None, InputError, "numbers above 0"),
    ],
)
def test_a_sentence_says_what_is_wrong(
    subject: Any, change: Any, error: type[Exception], message: str, images: Tensor
) -> None:
    with pytest.raises(error, match=message) as raised:
        rr.purify(subject, images if change is None else change(images))
    assert re.search(r"expected|Give|there are|\.to\(", str(raised.value))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_stays_half(dtype: torch.dtype, images: Tensor) -> None:
    narrow = images.to(dtype)
    out = rr.purify(classifier().to(dtype), narrow)
    assert out.dtype == dtype
    wide = rr.purify(classifier(), narrow.float())
    torch.testing.assert_close(out.float(), wide, atol=torch.finfo(dtype).eps, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 7), (15, 40)])
def test_images_of_a_few_pixels_keep_their_size(height: int, width: int, images: Tensor) -> None:
    given = images.repeat(1, 1, 1, 2)[..., :height, :width]
    assert rr.purify(classifier(), given).shape == given.shape


def test_a_classifier_of_torchvision_is_not_taken_as_it_is_in_silence(images: Tensor) -> None:
    from torchvision.models import resnet18

    made = resnet18().eval()
    for call in (
        lambda: rr.PurifiedClassifier(made, "median"),
        lambda: rr.create_attack("torchattacks/fgsm", made),
    ):
        with pytest.warns(NormalizationWarning, match=r"ResNet .* wrap it: NormalizedClassifier"):
            call()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        ready = rr.NormalizedClassifier(made, mean=mean, std=std)
        rr.PurifiedClassifier(ready, "median")

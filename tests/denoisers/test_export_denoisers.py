"""Denoisers are exported for any number of images."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import robust_restoration as rr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("dncnn_b", {"depth": 3}, False),
        ("ffdnet", {}, True),
        ("n2n_unet", {}, False),
    ],
)
def test_exported_for_any_number_of_images(
    name: str, options: dict[str, Any], told: bool
) -> None:
    torch.manual_seed(0)
    denoiser = rr.create_denoiser(name, **options).eval()
    images = torch.rand(4, denoiser.channels or 1, 32, 32)
    batch = {0: torch.export.Dim("batch")}
    arguments = (images, torch.full((4,), 0.1)) if told else (images,)
    program = torch.export.export(
        denoiser,
        tuple(argument[:2] for argument in arguments),
        dynamic_shapes=(batch,) * len(arguments),
    )
    for count in (1, 3):
        part = tuple(argument[:count] for argument in arguments)
        torch.testing.assert_close(program.module()(*part), denoiser(*part))

"""Others' published weights of the denoisers: how each file's tensors are called here.

Each layout is a function from a published name to ours; `FILES` says which architecture, with
which options, a file is for, and the PSNR measured with it by those who put it beside the data.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from robust_restoration_denoisers.adnet import ADNet
from robust_restoration_denoisers.dncnn import DnCNN, dncnn_b, dncnn_c
from robust_restoration_denoisers.ecndnet import ECNDNet
from robust_restoration_denoisers.ffdnet import FFDNet
from robust_restoration_denoisers.n2n_unet import N2NUNet
from robust_restoration_denoisers.rddcnn import RDDCNN
from safetensors.torch import load_file
from torch import Tensor, nn

SIGMA = 25 / 255


def kair(name: str) -> str:
    """cszn/KAIR: one Sequential ``model``, as ours."""
    return name.replace("model.", "net.", 1)


def buifd(name: str) -> str:
    """majedelhelou/BUIFD: one Sequential ``dncnn``, as ours."""
    return name.replace("dncnn.", "net.", 1)


def bias_free(name: str) -> str:
    """LabForComputationalVision/bias_free_denoising: convolutions and batch norms in two lists.

    Our Sequential has convolution, ReLU, then 18 times (convolution, batch norm, ReLU), and the
    last convolution at 2 + 3 * 18 = 56.
    """
    part, _, rest = name.partition(".")
    if part == "first_layer":
        return f"net.0.{rest}"
    if part == "last_layer":
        return f"net.56.{rest}"
    number, _, rest = rest.partition(".")
    place = 2 + 3 * int(number) + (part == "bn_layer_list")
    return f"net.{place}.{rest}"


def ffdnet(name: str) -> str:
    """cszn/FFDNet: ``conv0``, ``conv1`` ...; ours has a ReLU after each but the last."""
    return re.sub(r"conv(\d+)", lambda found: f"net.{2 * int(found[1])}", name)


def ecndnet(name: str) -> str:
    """hellloxiaotian/ECNDNet: ``conv1_i`` is (convolution, batch norm, ReLU) for i = 1 to 15.

    ``conv1_16`` is (convolution, ReLU), at 45 and 46 in ours; ``conv3`` is the last one, at 47.
    """
    if name.startswith("conv3."):
        return name.replace("conv3.", "net.47.")
    found = re.fullmatch(r"conv1_(\d+)\.(\d)\.(\w+)", name)
    assert found, name
    return f"net.{3 * (int(found[1]) - 1) + int(found[2])}.{found[3]}"


def adnet(name: str) -> str:
    """hellloxiaotian/ADNet: ``conv1_i`` as in ECNDNet; ``conv1_16``, at 45 in ours, is bare.

    ``conv3`` is the 1x1 convolution of the attention.
    """
    if name.startswith("conv3."):
        return name.replace("conv3.", "attention.")
    return "net.45.weight" if name == "conv1_16.weight" else ecndnet(name)


def rddcnn(name: str) -> str:
    """hellloxiaotian/RDDCNN, in PaddlePaddle: one Sequential ``dncnn``, as ours.

    Its batch norm has ``_mean`` and ``_variance``; the deformable convolution has ``p_conv`` for
    the shifts and ``m_conv`` for the weights.
    """
    for theirs, ours in (
        ("dncnn.", "net."),
        ("_mean", "running_mean"),
        ("_variance", "running_var"),
        (".conv.", ".convolution."),
        ("p_conv", "shift"),
        ("m_conv", "weight"),
    ):
        name = name.replace(theirs, ours)
    return name


BLOCKS = {
    "_block1": "enter",
    "_block2": "down",
    "_block3": "turn",
    "_block4": "up_first",
    "_block5": "up",
    "_block6": "leave",
}


def noise2noise(name: str) -> str:
    """joeylitalien/noise2noise-pytorch: six numbered blocks; within them the places agree."""
    block, _, rest = name.partition(".")
    return f"{BLOCKS[block]}.{rest}"


def torch_noise(shape: torch.Size) -> Tensor:
    """Torch's draw with seed 0, the same for each image of a size, as most authors do."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def numpy_noise(shape: torch.Size) -> Tensor:
    """Numpy's old draw with seed 8, as RDDCNN's authors have it."""
    drawn = np.random.RandomState(8).normal(0, 1, tuple(shape))
    return torch.from_numpy(drawn.astype(np.float32))


@dataclass(frozen=True)
class Published:
    """One file of published weights.

    Attributes:
        build: Makes the architecture.
        layout: From a published name to ours.
        options: What it is built with.
        data: The test set of ``psnr``, and how many of its images, of which size.
        psnr: Average PSNR in dB at sigma 25/255, as stated beside the file; ``None`` if it is not.
        told_sigma: Whether it is called with the noise level.
        noise: The standard normal noise of an image's shape that ``psnr`` was measured with.
    """

    build: Callable[..., nn.Module]
    layout: Callable[[str], str]
    options: dict[str, Any] = field(default_factory=dict)
    data: str = "Set12"
    first: int | None = None
    size: int | None = None
    psnr: float | None = None
    told_sigma: bool = False
    noise: Callable[[torch.Size], Tensor] = torch_noise


COLOUR = {"data": "CBSD68", "first": 6}
BLIND = {"sigma_range": (0.0, 55 / 255)}
FILES = {
    "dncnn_gray_sigma25": Published(DnCNN, kair, {"batch_norm": False}, psnr=30.44),
    "dncnn_blind_gray_sigma0-55": Published(dncnn_b, buifd, BLIND, size=256, psnr=30.29),
    "dncnn_blind_color_sigma0-55": Published(dncnn_c, buifd, BLIND, psnr=31.59, **COLOUR),
    "dncnn_blind_gray_sigma0-30": Published(
        dncnn_b, bias_free, {"bias": True, "sigma_range": (0.0, 30 / 255)}
    ),
    "ffdnet_gray": Published(FFDNet, ffdnet, psnr=30.44, told_sigma=True),
    "ffdnet_color": Published(
        FFDNet, ffdnet, {"channels": 3}, psnr=31.65, told_sigma=True, **COLOUR
    ),
    # Stated are 30.39 for all twelve images, of which these seven are the small ones.
    "ecndnet_gray_sigma25": Published(ECNDNet, ecndnet, first=7, psnr=30.32),
    # The first four images of table 6 of ADNet's, and of table 4 of RDDCNN's paper, with the
    # authors' draws of noise: each image agrees to 0.01 dB.
    "adnet_gray_sigma25": Published(ADNet, adnet, first=4, psnr=31.075),
    "adnet_color_sigma25": Published(ADNet, adnet, {"channels": 3}, **COLOUR),
    "rddcnn_gray_sigma25": Published(RDDCNN, rddcnn, first=4, psnr=30.883, noise=numpy_noise),
    "n2n_unet_color_gaussian": Published(N2NUNet, noise2noise, **COLOUR),
    "n2n_unet_color_gaussian-clean": Published(N2NUNet, noise2noise, **COLOUR),
}


def published_state(folder: Path, name: str) -> dict[str, Tensor]:
    """The tensors of a file under our names.

    Batch norm's ``num_batches_tracked``, of no use in eval mode, is 0 where a file has none.
    """
    layout = FILES[name].layout
    tensors = load_file(folder / f"{name}.safetensors")
    state = {layout(key): tensor for key, tensor in tensors.items()}
    for key in list(state):
        if key.endswith("running_mean"):
            count = key.replace("running_mean", "num_batches_tracked")
            state.setdefault(count, torch.tensor(0))
    return state


def load_published(folder: Path, name: str) -> nn.Module:
    """The denoiser of a file, in eval mode."""
    model = FILES[name].build(**FILES[name].options)
    model.load_state_dict(published_state(folder, name), strict=True)
    return model.eval()

"""Restorers from one file of weights, by spandrel: ``create_denoiser("spandrel:swinir.pth")``."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from robust_restoration.contracts import Denoiser
from robust_restoration.errors import InputError, one_line
from robust_restoration.images.checks import check_layout

from .padding import padded
from .sigma import sigma_per_image

PICKLES = (".pth", ".pt", ".ckpt")  # read by torch with weights_only, which runs no code


class Spandrel(Denoiser):
    """A network that spandrel recognises by its tensors (https://github.com/chaiNNer-org/spandrel).

    About forty architectures, among them SwinIR, SCUNet, Restormer's relatives, NAFNet, Uformer,
    DRUNet and DnCNN; spandrel is under the MIT licence, the weights are under their authors'. The
    file is read as tensors alone: safetensors, or a checkpoint of PyTorch, of which nothing but
    tensors in dictionaries is accepted, so that a file from a stranger runs no code. Sides are
    padded to what the network wants, by reflection, and cropped after. Gradients flow through it.

    DRUNet and FDnCNN are told the noise level; the others are blind. Super-resolution networks
    return larger images, as their scale says.

    Args:
        file: The weights, ending in .safetensors, .pth, .pt or .ckpt.

    Raises:
        InputError: If the file is not there, is damaged, holds more than tensors, or is of a
            network that spandrel does not know or that wants more than an image.
    """

    trained = True

    def __init__(self, file: str) -> None:
        super().__init__()
        import spandrel

        path = Path(file).expanduser()
        state = spandrel.canonicalize_state_dict(_tensors(path))
        try:
            found = spandrel.ModelLoader().load_from_state_dict(state)
        except spandrel.UnsupportedModelError as error:
            raise InputError(
                f"{path} holds weights of a network that spandrel does not know; expected one of "
                f"{', '.join(sorted(support.architecture.name for support in _known()))}."
            ) from error
        except Exception as error:  # each architecture has its own ways to fail on damaged files
            raise InputError(
                f"{path} looks like weights of a network that spandrel knows, but they do not fit "
                f"it: {one_line(error)}."
            ) from error
        if not isinstance(found, spandrel.ImageModelDescriptor):
            raise InputError(
                f"{path} is of {found.architecture.name}, which wants a mask beside the image; "
                "expected a network from images to images."
            )
        self.model = found.model.eval()
        self.architecture: str = found.architecture.name
        self.scale: int = found.scale
        self.channels = found.input_channels
        self.told = found.architecture.id == "DRUNet" or "FDnCNN" in found.tags
        self.blind = not self.told
        self._sizes = found.size_requirements
        # How a network is called, which spandrel's own call hides behind inference_mode.
        self._call = found._call_fn

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``.

        Args:
            noisy: (N, C, H, W).
            sigma: Noise level, a float or (N,); required where the network is told it.

        Returns:
            (N, C, scale * H, scale * W), not clamped.

        Raises:
            InputError: If the images do not fit, or the network must be told the level and is not.
        """
        check_layout(noisy, "noisy", self.channels, self)
        height, width = noisy.shape[-2:]
        right, below = self._sizes.get_padding(width, height)
        images = padded(noisy, right, below)
        if self.told:
            levels = sigma_per_image(sigma, noisy, denoiser=self.architecture)
            level_map = levels[:, None, None, None].expand(-1, 1, *images.shape[-2:])
            restored: Tensor = self.model(torch.cat([images, level_map], dim=1))
        else:
            restored = self._call(self.model, images)
        return restored[..., : height * self.scale, : width * self.scale]


def _tensors(path: Path) -> dict[str, Any]:
    """What a file holds, read without running anything in it."""
    if not path.is_file():
        raise InputError(f"There is no file {path}; spandrel:FILE wants a file of weights.")
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return dict(load_file(path))
        except (SafetensorError, ValueError, KeyError, OSError) as error:
            raise InputError(f"{path} is no file of safetensors: {one_line(error)}.") from error
    if path.suffix not in PICKLES:
        raise InputError(
            f"{path} ends in {path.suffix!r}; expected .safetensors or {', '.join(PICKLES)}."
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} holds other things than tensors, which could run code, and is not read; save "
            "its state_dict as safetensors, where you trust it."
        ) from error
    except Exception as error:
        raise InputError(f"{path} is no checkpoint of PyTorch: {one_line(error)}.") from error
    if not isinstance(content, Mapping) or not content:
        raise InputError(
            f"{path} holds a {type(content).__name__}; expected a dictionary of tensors."
        )
    return dict(content)


def _known() -> Any:
    import spandrel

    return spandrel.MAIN_REGISTRY.architectures()

"""The purifiers of the AdvFilter paper: additive, filtering, multi-head, and AdvFilter itself."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from robust_restoration.contracts import Purifier
from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_layout

from .gate import CLOSED, Gate
from .networks import FusionNet, PixelNet
from .noise_level import noise_level
from .pixel_filter import blur_kernels
from .upsampled_filter import upsampled_filter

DEFAULT_WIDTH = 0.125
# Where training starts. From the identity it does not get away: there the classifier's gradient
# follows the attack's noise, and the small strengths hold the kernels fast.
INITIAL_BLUR = 0.5


class _PixelPurifier(Purifier):
    """What the four share: options that weights are saved with, checks, clamping.

    Args:
        width: Scales all channels; 1 is the paper's network.
        kernel_size: K, odd.
        channels: Channels of the images.
        noise_level: Whether the networks are shown the image's `noise_level`; the paper's are not.
        input_bits: Round images to so many bits a value first. Eight, for images out of 8-bit
            files, undo any change of less than 1/510, and gradients pass straight through;
            ``None``, as in the paper, leaves them alone.
        gate: Whether a `Gate` decides, image by image, if it is filtered or left as it is; the
            paper has none. ``False`` with weights that have one filters every image.

    Raises:
        InputError: If an option is out of its range.
    """

    # Weights with one do for a purifier without, and the other way round: untrained, it lets all
    # be filtered.
    optional_parts = ("gate",)

    def __init__(
        self,
        *,
        width: float = DEFAULT_WIDTH,
        channels: int = 3,
        kernel_size: int = 5,
        noise_level: bool = True,
        input_bits: int | None = None,
        gate: bool = False,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0 or kernel_size < 1:
            raise InputError(
                f"kernel_size is {kernel_size}; expected an odd number such as 3 or 5."
            )
        if width <= 0:
            raise InputError(f"width is {width}; expected a number above 0 (1 is the paper's).")
        if input_bits is not None and input_bits not in range(1, 9):
            raise InputError(f"input_bits is {input_bits}; expected 1 to 8, or None.")
        self.channels, self.kernel_size, self.input_bits = channels, kernel_size, input_bits
        self.options: dict[str, Any] = {
            "width": width,
            "kernel_size": kernel_size,
            "channels": channels,
            "noise_level": noise_level,
            "input_bits": input_bits,
            "gate": gate,
        }
        self.gate = Gate(channels) if gate else None

    def outputs(self, images: Tensor) -> dict[str, Tensor]:
        """What training needs: named candidate outputs, not clamped; ``"out"`` is the result.

        A gate has no part in them.
        """
        return self._outputs(self.rounded(images))

    def rounded(self, images: Tensor) -> Tensor:
        """``images`` as the networks see them: of ``input_bits``, if that is set."""
        if self.input_bits is None:
            return images
        steps = 2**self.input_bits - 1
        # The difference is zero, but has the image's gradient.
        return (images.detach() * steps).round() / steps + (images - images.detach())

    def _outputs(self, seen: Tensor) -> dict[str, Tensor]:
        """The same of images that are rounded."""
        level = 2 * noise_level(seen) - 1 if self.options["noise_level"] else None
        return self._candidates(seen, level)

    def _candidates(self, images: Tensor, level: Tensor | None) -> dict[str, Tensor]:
        """The same; ``level`` is in [-1, 1), (N, 1, H, W), if the networks are shown it."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Purify ``images``, (N, C, H, W) in [0, 1], any size.

        Where no gradients are needed, the networks only see the images that the gate lets through.
        """
        check_layout(images, "images", self.channels)
        if self.gate is None:
            return self.outputs(images)["out"].clamp(0, 1).to(images.dtype)
        seen = self.rounded(images)
        share = self.gate.share(seen)
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            return self._mixed(seen, share)
        chosen = share.flatten() > CLOSED
        result = seen.clamp(0, 1)
        if bool(chosen.any()):
            result[chosen] = self._mixed(seen[chosen], share[chosen])
        return result

    def _mixed(self, seen: Tensor, share: Tensor) -> Tensor:
        """``share`` (N, 1, 1, 1) of the filtered images, the rest of the images themselves."""
        out = self._outputs(seen)["out"]
        wide = torch.promote_types(seen.dtype, out.dtype)  # autocast filters in bfloat16
        mixed = torch.lerp(seen.to(wide), out.to(wide), share.to(wide))
        return mixed.clamp(0, 1).to(seen.dtype)

    def _net(self, outputs: int, **options: Any) -> PixelNet:
        own = {"width": self.options["width"], "told": self.options["noise_level"]}
        return PixelNet(self.channels, outputs, **own, **options)

    def _kernel_net(self, **options: Any) -> PixelNet:
        bias = blur_kernels(self.kernel_size, self.channels, INITIAL_BLUR)
        return self._net(len(bias), bias=bias, **options)


class Additive(_PixelPurifier):
    """Adds a predicted correction to the image (eq. 6); HGD when trained on a semantic loss.

    Args:
        width: Scales all channels; 1 is the paper's network.
        channels: Channels of the images.
        kernel_size: Not used; taken so that the purifiers are exchangeable.
        noise_level: Whether the networks are shown the image's `noise_level`; the paper's are not.
        input_bits: Round to so many bits a value first; 8 undo changes below 1/510.
        gate: Whether a `Gate` decides which images are filtered at all.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.net = self._net(self.channels)

    def _candidates(self, images: Tensor, level: Tensor | None) -> dict[str, Tensor]:
        """The image plus the correction."""
        maps = self.net(images, level)[0]
        correction = maps.upsampled(*images.shape[-2:])
        return {"out": images + correction.to(images.dtype)}


class Filtering(_PixelPurifier):
    """Filters each pixel by a predicted kernel (eq. 7).

    Args:
        width: Scales all channels; 1 is the paper's network.
        channels: Channels of the images.
        kernel_size: K, odd.
        noise_level: Whether the networks are shown the image's `noise_level`; the paper's are not.
        input_bits: Round to so many bits a value first; 8 undo changes below 1/510.
        gate: Whether a `Gate` decides which images are filtered at all.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.net = self._kernel_net()

    def _candidates(self, images: Tensor, level: Tensor | None) -> dict[str, Tensor]:
        """The filtered image."""
        return {"out": upsampled_filter(images, self.net(images, level)[0])[0]}


class MultiHead(_PixelPurifier):
    """Filtering with four heads, head i trained on eps in {1, 3, 5} * 10^(i-5) (section 3.4).

    Args:
        head: Which head, 1 to 4, gives the result. Heads 3 and 4 do well in the paper.
        width: Scales all channels; 1 is the paper's network.
        channels: Channels of the images.
        kernel_size: K, odd.
        noise_level: Whether the networks are shown the image's `noise_level`; the paper's are not.
        input_bits: Round to so many bits a value first; 8 undo changes below 1/510.
        gate: Whether a `Gate` decides which images are filtered at all.
    """

    heads = 4

    def __init__(self, *, head: int = 4, **options: Any) -> None:
        super().__init__(**options)
        if head not in range(1, self.heads + 1):
            raise InputError(f"head is {head}; expected 1 to {self.heads}.")
        self.head = head
        self.net = self._kernel_net(heads=self.heads)

    def _candidates(self, images: Tensor, level: Tensor | None) -> dict[str, Tensor]:
        """Each head's image as ``head_1`` to ``head_4``, and the chosen one."""
        maps = self.net(images, level)
        if not self.training:
            return {"out": upsampled_filter(images, maps[self.head - 1])[0]}
        found = {f"head_{i}": upsampled_filter(images, m)[0] for i, m in enumerate(maps, 1)}
        return {**found, "out": found[f"head_{self.head}"]}


class AdvFilter(_PixelPurifier):
    """Predictive perturbation-aware filtering, "PA-Filt" (eqs. 8 to 11).

    One decoder is trained on all strengths, for small and large ones, the other on large ones,
    for median ones. The maximum over each one's kernel is its uncertainty map, and a small net
    weighs the two filtered images by these maps, pixel by pixel.

    Args:
        width: Scales all channels; 1 is the paper's network.
        channels: Channels of the images.
        kernel_size: K, odd.
        noise_level: Whether the networks are shown the image's `noise_level`; the paper's are not.
        input_bits: Round to so many bits a value first; 8 undo changes below 1/510.
        gate: Whether a `Gate` decides which images are filtered at all.
        fusion_features: Channels within the fusion net, which runs at full size.
    """

    def __init__(self, *, fusion_features: int = 8, **options: Any) -> None:
        super().__init__(**options)
        self.options["fusion_features"] = fusion_features
        self.net = self._kernel_net(decoders=2)
        self.fusion = FusionNet(fusion_features, maps=3 if self.options["noise_level"] else 2)

    def _candidates(self, images: Tensor, level: Tensor | None) -> dict[str, Tensor]:
        """The two filtered images ``small_large`` and ``median``, and their fusion."""
        small_large, median = self.net(images, level)
        first, uncertain_first = upsampled_filter(images, small_large)
        second, uncertain_second = upsampled_filter(images, median)
        maps = [uncertain_first[:, None], uncertain_second[:, None]]
        if level is not None:
            maps.append(level)
        stacked = torch.cat(maps, dim=1).contiguous(memory_format=torch.channels_last)  # faster
        weight = self.fusion(stacked).to(images.dtype)
        return {
            "small_large": first,
            "median": second,
            "weight": weight,
            "out": torch.lerp(second, first, weight),
        }

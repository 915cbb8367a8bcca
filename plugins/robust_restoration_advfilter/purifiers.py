"""The purifiers of the AdvFilter paper: additive, filtering, multi-head, and AdvFilter itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from robust_restoration.contracts import Inside, Purifier
from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_layout
from robust_restoration.models.straight_through import straight_through

from .detector import Detector
from .networks import FusionNet, PixelNet
from .pixel_filter import blur_kernels
from .upsampled_filter import at_pixels, upsampled, upsampled_filter

DEFAULT_WIDTH = 0.125
# Where training starts, but for AdvFilter's first decoder. From the identity it does not get away:
# there the classifier's gradient follows the attack's noise, and the small strengths hold the
# kernels fast.
INITIAL_BLUR = 0.5


class _PixelPurifier(Purifier):
    """What the four share: options that weights are saved with, checks, clamping.

    Args:
        width: Scales the channels; 1 is the paper's network.
        decoder_width: The same for decoders alone; half of ``width`` by default, since there are
            two of them, and 1 with a ``width`` of 1.
        channels: Channels of the images.
        kernel_size: K, odd.
        grain: Whether the networks are shown the image's `fine_grain`; the paper's are not.
        halved: Whether the networks work at half the image's size from the start, on squares of
            2 x 2 pixels, at less than half the cost; the paper's do not.
        input_bits: Round images to so many bits a value first. Eight, for images out of 8-bit
            files, undo any change of less than 1/510, and gradients pass straight through;
            ``None``, as in the paper, leaves them alone.

    Raises:
        InputError: If an option is out of its range.
    """

    def __init__(
        self,
        *,
        width: float = DEFAULT_WIDTH,
        decoder_width: float | None = None,
        channels: int = 3,
        kernel_size: int = 5,
        grain: bool = True,
        halved: bool = True,
        input_bits: int | None = None,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0 or kernel_size < 1:
            raise InputError(f"kernel_size is {kernel_size}; expected an odd number, as 3 or 5.")
        if decoder_width is None:
            decoder_width = 1.0 if width == 1 else width / 2
        if min(width, decoder_width) <= 0:
            raise InputError(
                f"width is {width} and decoder_width {decoder_width}; expected numbers above 0 "
                "(1 is the paper's)."
            )
        if input_bits is not None and input_bits not in range(1, 9):
            raise InputError(f"input_bits is {input_bits}; expected 1 to 8, or None.")
        self.channels, self.kernel_size, self.input_bits = channels, kernel_size, input_bits
        self.options: dict[str, Any] = {
            "width": width,
            "decoder_width": decoder_width,
            "kernel_size": kernel_size,
            "channels": channels,
            "grain": grain,
            "halved": halved,
            "input_bits": input_bits,
        }

    def outputs(self, images: Tensor) -> dict[str, Tensor]:
        """What training needs: named candidate outputs, not clamped; ``"out"`` is the result."""
        return self._candidates(self.rounded(images))

    def rounded(self, images: Tensor) -> Tensor:
        """``images`` as the networks see them: of ``input_bits``, if that is set."""
        if self.input_bits is None:
            return images
        steps = 2**self.input_bits - 1
        return straight_through((images.detach() * steps).round_().div_(steps), images)

    def _candidates(self, images: Tensor) -> dict[str, Tensor]:
        """`outputs` of images that are rounded."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Purify ``images``, (N, C, H, W) in [0, 1], any size."""
        check_layout(images, "images", self.channels, self)
        return self.outputs(images)["out"].clamp(0, 1).to(images.dtype)

    def inside(self, images: Tensor, pixels: Sequence[tuple[int, int]] = ()) -> Inside:
        """The kernels of the pixels asked for, and their uncertainty, where there are kernels.

        A kernel's maximum is the uncertainty map of the paper's section 3.3; it is at half the
        images' size.
        """
        return self._shown(self._predicted(self.rounded(images)), images, pixels)

    def _predicted(self, images: Tensor) -> dict[str, Tensor]:
        """Predicted kernels (N, K*K*C, h, w) at half the padded size, by name."""
        return {}

    def _shown(
        self, predicted: Mapping[str, Tensor], images: Tensor, pixels: Sequence[tuple[int, int]]
    ) -> Inside:
        height, width = (-(-side // 2) for side in images.shape[-2:])  # without the padding
        maps = {
            f"uncertainty, {name}": found.amax(dim=1, keepdim=True)[..., :height, :width]
            for name, found in predicted.items()
        }
        shape = (len(pixels), self.kernel_size, self.kernel_size, self.channels)
        kernels = {
            name: at_pixels(found, pixels).view(-1, *shape).movedim(-1, 2)
            for name, found in predicted.items()
        }
        return Inside(maps, kernels)

    def _net(self, outputs: int, **options: Any) -> PixelNet:
        own = {name: self.options[name] for name in ("width", "decoder_width", "grain", "halved")}
        return PixelNet(self.channels, outputs, **own, **options)

    def _kernel_net(self, *blurs: float, **options: Any) -> PixelNet:
        """With a decoder for each of ``blurs``, from which it starts."""
        biases = [blur_kernels(self.kernel_size, self.channels, blur) for blur in blurs]
        return self._net(len(biases[0]), biases=biases, decoders=len(blurs), **options)


class Additive(_PixelPurifier):
    """Adds a predicted correction to the image (eq. 6); HGD when trained on a semantic loss.

    Args:
        width: Scales the channels; 1 is the paper's network.
        decoder_width: The same for decoders; half of it by default.
        channels: Channels of the images.
        kernel_size: Not used; taken so that the purifiers are exchangeable.
        grain: Whether the networks are shown the image's `fine_grain`; the paper's are not.
        halved: Whether they work at half the size throughout; the paper's do not.
        input_bits: Round to so many bits a value first; 8 undo changes below 1/510.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.net = self._net(self.channels)

    def _candidates(self, images: Tensor) -> dict[str, Tensor]:
        """The image plus the correction."""
        correction = upsampled(self.net(images)[0], *images.shape[-2:])
        return {"out": images + correction.to(images.dtype)}


class Filtering(_PixelPurifier):
    """Filters each pixel by a predicted kernel (eq. 7).

    Args:
        width: Scales the channels; 1 is the paper's network.
        decoder_width: The same for decoders; half of it by default.
        channels: Channels of the images.
        kernel_size: K, odd.
        grain: Whether the networks are shown the image's `fine_grain`; the paper's are not.
        halved: Whether they work at half the size throughout; the paper's do not.
        input_bits: Round to so many bits a value first; 8 undo changes below 1/510.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.net = self._kernel_net(INITIAL_BLUR)

    def _candidates(self, images: Tensor) -> dict[str, Tensor]:
        """The filtered image."""
        return {"out": upsampled_filter(images, self.net(images)[0])}

    def _predicted(self, images: Tensor) -> dict[str, Tensor]:
        return {"filter": self.net(images)[0]}


class MultiHead(_PixelPurifier):
    """Filtering with four heads, head i trained on eps in {1, 3, 5} * 10^(i-5) (section 3.4).

    Args:
        head: Which head, 1 to 4, gives the result. Heads 3 and 4 do well in the paper.
        width: Scales the channels; 1 is the paper's network.
        decoder_width: The same for decoders; half of it by default.
        channels: Channels of the images.
        kernel_size: K, odd.
        grain: Whether the networks are shown the image's `fine_grain`; the paper's are not.
        halved: Whether they work at half the size throughout; the paper's do not.
        input_bits: Round to so many bits a value first; 8 undo changes below 1/510.
    """

    heads = 4

    def __init__(self, *, head: int = 4, **options: Any) -> None:
        super().__init__(**options)
        if head not in range(1, self.heads + 1):
            raise InputError(f"head is {head}; expected 1 to {self.heads}.")
        self.head = head
        self.net = self._kernel_net(INITIAL_BLUR, heads=self.heads)

    def _candidates(self, images: Tensor) -> dict[str, Tensor]:
        """Each head's image as ``head_1`` to ``head_4``, and the chosen one."""
        maps = self.net(images)
        if not self.training:
            return {"out": upsampled_filter(images, maps[self.head - 1])}
        found = {f"head_{i}": upsampled_filter(images, m) for i, m in enumerate(maps, 1)}
        return {**found, "out": found[f"head_{self.head}"]}

    def _predicted(self, images: Tensor) -> dict[str, Tensor]:
        return {f"head {self.head}": self.net(images)[self.head - 1]}


class AdvFilter(_PixelPurifier):
    """Predictive perturbation-aware filtering, "PA-Filt" (eqs. 8 to 11).

    The first decoder is for small strengths, none included, the second for those above. The
    maximum over each one's kernels is its uncertainty map, and a small net weighs the two filters
    by these maps, place by place. Weighing kernels is weighing the images that they filter, and is
    done where they are predicted, at half the image's size; so one filtering does for two.

    Args:
        width: Scales the channels; 1 is the paper's network.
        decoder_width: The same for decoders; half of it by default.
        channels: Channels of the images.
        kernel_size: K, odd.
        grain: Whether the networks are shown the image's `fine_grain`; the paper's are not.
        halved: Whether they work at half the size throughout; the paper's do not.
        input_bits: Round to so many bits a value first; 8 undo changes below 1/510.
        fusion_features: Channels within the fusion net.
        detector: Whether the fusion net also has a `Detector` of attacked images; the paper's has
            none.
    """

    def __init__(
        self, *, fusion_features: int = 8, detector: bool = True, **options: Any
    ) -> None:
        super().__init__(**options)
        self.options |= {"fusion_features": fusion_features, "detector": detector}
        self.net = self._kernel_net(0.0, INITIAL_BLUR)
        self.fusion = FusionNet(fusion_features, Detector(self.channels) if detector else None)

    def outputs(self, images: Tensor, weight: Tensor | None = None) -> dict[str, Tensor]:
        """The result ``out``, and the fusion net's ``weight`` (N, 1, h, w) at half the size.

        Args:
            images: (N, C, H, W) in [0, 1].
            weight: What ``out`` is weighed by in place of the fusion net's, (N, 1, 1, 1) or of its
                size: 1 for the first decoder's filter alone, 0 for the second's.
        """
        return self._candidates(self.rounded(images), weight)

    def inside(self, images: Tensor, pixels: Sequence[tuple[int, int]] = ()) -> Inside:
        """Uncertainty and kernels of both decoders, the first one's weight, the fused kernels."""
        rounded = self.rounded(images)
        small, large = self.net(rounded)
        weight = self._weight(small, large, rounded)
        found = self._shown({"small eps": small, "large eps": large}, images, pixels)
        fused = self._shown({"fused": torch.lerp(large, small, weight)}, images, pixels).kernels
        size = next(iter(found.maps.values())).shape[-2:]
        weight = weight[..., : size[0], : size[1]]
        return Inside(
            {**found.maps, "weight of small eps": weight}, {**found.kernels, **fused}
        )

    def _candidates(self, images: Tensor, weight: Tensor | None = None) -> dict[str, Tensor]:
        small, large = self.net(images)
        found = self._weight(small, large, images)
        kernels = torch.lerp(large, small, (found if weight is None else weight).to(small.dtype))
        return {"weight": found, "out": upsampled_filter(images, kernels)}

    def _weight(self, small: Tensor, large: Tensor, images: Tensor) -> Tensor:
        maps = [kernels.amax(dim=1, keepdim=True) for kernels in (small, large)]
        found: Tensor = self.fusion(torch.cat(maps, dim=1), images)
        return found

"""What a purifier must be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class Inside:
    """What a purifier decides by, as far as it can be shown.

    Attributes:
        maps: (N, 1, h, w) by name, of the images' size or smaller, any range.
        kernels: (N, P, C, K, K) by name: with what the pixels asked for are filtered.
    """

    maps: Mapping[str, Tensor] = field(default_factory=dict)
    kernels: Mapping[str, Tensor] = field(default_factory=dict)


class Purifier(nn.Module):
    """Takes a perturbation out of images: ``forward(images) -> images``.

    Attributes:
        random: Whether two calls on the same input differ; a white-box attack then needs the
            expectation over the randomness.
        differentiable: Whether gradients flow through it; a white-box attack otherwise uses
            the straight-through estimate.
    """

    random: bool = False
    differentiable: bool = True

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Purify images (N, C, H, W), or one (C, H, W), such as a transform of a data set gets."""
        if len(args) == 1 and isinstance(args[0], Tensor) and args[0].ndim == 3:
            return super().__call__(args[0][None], **options)[0]
        return super().__call__(*args, **options)

    def forward(self, images: Tensor) -> Tensor:
        """Purify ``images``, (N, C, H, W) in [0, 1]; the result is of the same kind."""
        raise NotImplementedError

    def inside(self, images: Tensor, pixels: Sequence[tuple[int, int]] = ()) -> Inside:
        """What `robust_restoration.explain` shows beside the images; nothing by default.

        Args:
            images: (N, C, H, W) in [0, 1].
            pixels: (row, column) of those whose kernels are asked for.
        """
        return Inside()

    def for_classifier(self, classifier: nn.Module, size: int | None = None) -> nn.Module:
        """This purifier with the weights that suit a classifier.

        Args:
            classifier: Decides which; see `robust_restoration.models.purify.find_purifier`.
            size: The side of its images, where it does not say so itself.

        Returns:
            Another one, in eval mode; the purifier itself where it has nothing to learn, has
            weights already, or was not created by name.

        Raises:
            WeightsError: If there are no weights that fit.
        """
        from robust_restoration.models.origin import origin_of
        from robust_restoration.models.purify import find_purifier

        origin, learns = origin_of(self), next(self.parameters(), None) is not None
        if origin is None or origin.weights is not None or not learns:
            return self
        return find_purifier(classifier, origin.name, size=size)

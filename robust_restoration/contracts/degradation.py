"""What a degradation must be."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor

from robust_restoration.degradations.draws import Draw, draws_of
from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_layout

Given = dict[str, Tensor]


class Degradation(ABC):
    """Spoils images: ``observed, given = degradation(clean, seed=0)``.

    What an image becomes depends on the seed and the image's number alone: neither on the batch it
    is in, nor on the device, nor on the dtype. ``given`` is what a restorer may know of it, such
    as ``{"sigma": (N,)}``. Observed images may have another size or other channels than clean ones.
    A subclass writes `corrupt`.
    """

    @abstractmethod
    def corrupt(self, image: Tensor, draw: Draw) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Spoil one image.

        Args:
            image: (C, H, W), floating-point; not to be changed.
            draw: Where all random numbers come from.

        Returns:
            The observed image (C', H', W'), and what is given of it: a number or a tensor a name,
            the same names for every image.
        """

    def __call__(
        self,
        clean: Tensor,
        *,
        seed: int | None = None,
        generator: Generator | None = None,
        index: int | Sequence[int] = 0,
    ) -> tuple[Tensor, Given]:
        """Spoil images.

        Args:
            clean: (N, C, H, W) in [0, 1], floating-point.
            seed: What an image becomes is given by the seed and its number.
            generator: Where a seed is drawn from instead, one number a call; with neither, it is
                torch's global generator.
            index: The first image's number, the others following; or one number an image. Batches
                that together hold a data set, each with its own first number, become the very
                images that the whole set becomes in one call.

        Returns:
            The observed images (N, C', H', W'), in the dtype and on the device of ``clean``, not
            clipped to [0, 1]; and what is given of them, a tensor (N, ...) a name.

        Raises:
            InputError: If ``clean`` is of another layout, or the arguments contradict.
        """
        check_layout(clean, "clean")
        draws = draws_of(len(clean), seed=seed, generator=generator, index=index)
        pairs = [self.corrupt(image, draw) for image, draw in zip(clean, draws, strict=True)]
        observed = [image for image, _ in pairs]
        if len({image.shape for image in observed}) > 1:
            raise InputError(
                f"{type(self).__name__} makes images of several sizes in one batch; expected one "
                "size. Give it one image at a time."
            )
        each = [{k: torch.as_tensor(v) for k, v in given.items()} for _, given in pairs]
        given = {name: torch.stack([one[name] for one in each]).to(clean) for name in each[0]}
        return self.finished(torch.stack(observed).to(clean)), given

    def finished(self, observed: Tensor) -> Tensor:
        """What becomes of the observed images (N, C', H', W') last of all; nothing by default."""
        return observed

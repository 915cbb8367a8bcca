"""What a purifier must be."""

from __future__ import annotations

from torch import Tensor, nn


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

    def forward(self, images: Tensor) -> Tensor:
        """Purify ``images``, (N, C, H, W) in [0, 1]; the result is of the same kind."""
        raise NotImplementedError

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

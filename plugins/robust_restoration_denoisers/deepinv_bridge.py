"""deepinv's denoisers, by name: ``create_denoiser("deepinv:drunet", pretrained="download")``."""

from __future__ import annotations

import inspect
from typing import Any

from torch import Tensor

from robust_restoration.contracts import Denoiser
from robust_restoration.errors import InputError, UnknownNameError, did_you_mean
from robust_restoration.images.checks import check_layout


class DeepInv(Denoiser):
    """A denoiser of deepinv (https://deepinv.github.io, BSD licence).

    It is told the noise level where its forward takes one. Weights are deepinv's own affair:
    ``pretrained="download"`` gets them from the hub, a path reads a file of theirs (a pickle: only
    from whom you trust), and ``pretrained=None``, the default here, leaves it untrained.

    Args:
        name: Its class, in any case, such as ``drunet`` or ``DRUNet``.
        **options: Passed to the class.

    Raises:
        UnknownNameError: If deepinv has no such denoiser; names the nearest.
        InputError: If it does not take the options.
    """

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__()
        known = _known()
        if name.lower() not in known:
            raise UnknownNameError(
                f"deepinv has no denoiser {name!r}. {did_you_mean(name.lower(), sorted(known))}"
            )
        chosen = known[name.lower()]
        parameters = inspect.signature(chosen).parameters
        if "pretrained" in parameters:
            options.setdefault("pretrained", None)
        try:
            self.model = chosen(**options)
        except TypeError as error:
            raise InputError(f"deepinv's {chosen.__name__} was not made: {error}.") from error
        self.told = "sigma" in inspect.signature(self.model.forward).parameters
        self.blind = not self.told
        self.channels = options.get("in_channels", _default(parameters, "in_channels"))

    def forward(self, noisy: Tensor, sigma: float | Tensor | None = None) -> Tensor:
        """Restore ``noisy``, (N, C, H, W).

        Raises:
            InputError: If the images do not fit, or it must be told the level and is not.
        """
        check_layout(noisy, "noisy", self.channels, self)
        if not self.told:
            found: Tensor = self.model(noisy)
            return found
        if sigma is None:
            raise InputError(
                f"{type(self.model).__name__} has to be told the noise level: "
                "denoiser(noisy, sigma=25/255)."
            )
        found = self.model(noisy, sigma)
        return found


def _known() -> dict[str, Any]:
    """Deepinv's denoisers by lower-case name."""
    import deepinv.models as models

    return {
        name.lower(): item
        for name, item in vars(models).items()
        if inspect.isclass(item)
        and issubclass(item, models.Denoiser)
        and item is not models.Denoiser
    }


def _default(parameters: Any, name: str) -> int | None:
    found = parameters[name].default if name in parameters else None
    return found if isinstance(found, int) else None

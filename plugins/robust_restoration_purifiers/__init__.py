"""Built-in plugin: networks of general use, of no one paper, before classifiers."""

from __future__ import annotations

from robust_restoration import Entry, hookimpl


@hookimpl
def purifiers() -> list[Entry]:
    """The networks."""
    at = "robust_restoration_purifiers"
    return [
        Entry(
            "resunet",
            f"{at}.resunet:ResUNet",
            "residual U-Net, trained through attacks: measured against attackers who know of it",
            "arXiv:1711.10684",
        ),
    ]


@hookimpl
def denoisers() -> list[Entry]:
    """The same networks as denoisers."""
    at = "robust_restoration_purifiers"
    return [
        Entry(
            "resunet_denoiser",
            f"{at}.resunet_denoiser:ResUNetDenoiser",
            "residual U-Net, for certificates of classifiers of small images",
            "arXiv:1711.10684",
        ),
    ]

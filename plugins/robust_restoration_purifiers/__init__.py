"""Built-in plugin: purifiers that are networks of general use, of no one paper."""

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
            "residual U-Net, for training through attacks on purifier and classifier",
            "arXiv:1711.10684",
        ),
    ]

"""The command of training that messages suggest, such that it works as it is printed."""

from __future__ import annotations

from robust_restoration.errors import UnknownNameError
from robust_restoration.plugins.registry import registry


def train_command(kind: str, name: str) -> str:
    """The command that trains a network.

    Args:
        kind: ``"denoisers"`` or ``"purifiers"``.
        name: The network's name.

    Returns:
        A command, in which NAME and FOLDER stand for the user's classifier and data.
    """
    known, role = registry(), kind.removesuffix("s")
    try:
        offer, _ = known.find("defenses", known.default("defenses", role))
        defense = known.shortest("defenses", offer)
    except UnknownNameError:
        defense = "DEFENSE"
    # Two texts, each whole, as a test runs every command that stands in one.
    if role == "denoiser":
        return f"robust-restoration train {defense} --denoiser {name} --data FOLDER -o runs/mine"
    return (
        f"robust-restoration train {defense} --purifier {name} --classifier NAME --data FOLDER "
        "-o runs/mine"
    )

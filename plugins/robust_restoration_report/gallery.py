"""Strips of an evaluation, found by their names and put into the page."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from pathlib import Path

from robust_restoration.errors import InputError
from robust_restoration.evaluation import Result
from robust_restoration.evaluation.engine import strip_name

from .figures import LOWER_IS_BETTER, UNATTACKED, shown_metrics
from .strips import BAND, GAP

PANELS = (
    "clean", "noisy", "restored", "attacked", "restored attacked", "attacked - noisy",
    "restored: change",
)


@dataclass
class Strip:
    """A picture as a data URI, with what it shows."""

    title: str
    source: str
    panel: int  # width of one of its panels, in pixels
    band: int = BAND
    gap: int = GAP
    panels: str = "|".join(PANELS)


def gallery(result: Result, folder: Path | str, *, limit: int) -> tuple[list[Strip], int]:
    """The strips of a folder that belong to a result, the image that lost most first.

    Args:
        result: What the strips were drawn for.
        folder: What ``evaluate(strips=...)`` was given.
        limit: How many are put in.

    Returns:
        The strips, and how many there are besides.

    Raises:
        InputError: If the folder holds none of this result.
    """
    folder = Path(folder)
    found: list[tuple[float, int, Path, str]] = []
    metric = next(iter(shown_metrics(result)), "")
    sign = -1 if metric in LOWER_IS_BETTER else 1
    cells = result.cells()
    for key, cell in cells.items():
        if key.control or key.threat == UNATTACKED:
            continue
        before = cells.get(key._replace(threat=UNATTACKED, eps=0.0), {}).get(metric, {})
        for image, value in cell.get(metric, {}).items():
            for name in _names(image, key.subject, key.threat, key.eps):
                path = folder / name
                if path.is_file():
                    change = sign * (value - before.get(image, value))
                    found.append((change, len(found), path, f"{image}: {key.threat}"
                                  + (f", {key.subject}" if len(result.subjects) > 1 else "")))
                    break
    if not found:
        raise InputError(
            f"{folder} holds no strips of this result; expected what evaluate wrote there with "
            "strips= (--strips), such as IMAGE.THREAT.png."
        )
    found.sort()
    return [_read(path, title) for _, _, path, title in found[:limit]], max(0, len(found) - limit)


def _names(image: str, subject: str, threat: str, eps: float) -> list[str]:
    """What evaluate may have called a strip: with subject and strength where there are several."""
    shares: list[list[str]] = [[]] if math.isinf(eps) else [[f"{255 * eps:g}"], []]
    return [
        strip_name(image, *who, threat, *share)
        for who in [[subject], list[str]()]
        for share in shares
    ]


def _read(path: Path, title: str) -> Strip:
    from PIL import Image

    with Image.open(path, formats=["PNG"]) as opened:
        picture: Image.Image = opened.copy()
    if picture.mode == "RGB":
        red, green, blue = picture.split()
        if red.tobytes() == green.tobytes() == blue.tobytes():
            picture = red  # a gray image takes a third
    panel = (picture.width - GAP * (len(PANELS) - 1)) // len(PANELS)
    written = io.BytesIO()
    picture.save(written, format="PNG", optimize=True)
    content = base64.b64encode(written.getvalue()).decode("ascii")
    return Strip(title, f"data:image/png;base64,{content}", panel)

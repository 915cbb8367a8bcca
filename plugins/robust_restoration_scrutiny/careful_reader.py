"""What a careful reader would remark on a result."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from robust_restoration.evaluation.result import Result
from robust_restoration.evaluation.result.result import UNATTACKED
from robust_restoration.evaluation.result.table import level


def remarks_on(result: Result) -> list[str]:
    """What a careful reader would remark, one sentence each."""
    found = [*_harm(result), *_controls(result)]
    if "accuracy" in result.metrics:
        found += [*_masked(result), *_gaps(result)]
    return found


def _harm(result: Result) -> Iterator[str]:
    """Denoisers that leave more noise than there was: untrained ones, those on another scale."""
    sigma = result.settings.get("sigma")
    known = str(result.settings.get("noise", "")).startswith("Gaussian noise of")
    if "psnr" not in result.metrics or not known or not sigma:
        return
    noisy = -20 * math.log10(sigma)
    for key in result.cells():
        if key.threat == UNATTACKED and not key.control:
            found = result.mean(metric="psnr", subject=key.subject, data=key.data)
            if found < noisy - 1:
                yield (
                    f"{key.subject} leaves {found:.1f} dB of images that the noise left "
                    f"{noisy:.1f} dB, which is worse than nothing: is it untrained, for another "
                    "noise, or for values from 0 to 255? Its forward is given values from 0 to 1 "
                    "and has to return such."
                )


def _controls(result: Result) -> Iterator[str]:
    """Controls that hurt as much as the attack."""
    metric = result.metrics[0] if result.metrics else ""
    if metric not in ("psnr", "accuracy"):
        return
    for key in result.cells():
        if not key.control:
            continue
        which: dict[str, Any] = {"subject": key.subject, "data": key.data, "eps": key.eps}
        left = result.mean(key.threat, metric, **which)
        control = result.mean(key.threat, metric, control=key.control, **which)
        who = key.threat if len(result.subjects) == 1 else f"{key.subject}: {key.threat}"
        many = len(result.strengths(key.threat)) > 1
        who += f" at eps {level(key.eps)}" if many else ""
        pair = ({"control": key.control}, {"control": ""})
        ahead = result.difference(*pair, metric, threat=key.threat, **which).low
        if metric == "psnr" and ahead <= 0.05:  # by what chance leaves of its lead
            yield (
                f"{who} leaves {left:.2f} dB and its control {key.control!r} {control:.2f}: the "
                "drop is not the attack's doing."
            )
        drop = -result.dmr(key.threat, metric, **which)
        if metric == "accuracy" and drop > 0.02 and control <= left:
            yield (
                f"{who} leaves {left:.0%} and its control {key.control!r} {control:.0%}: the drop "
                "is not the attack's doing."
            )


def _masked(result: Result) -> Iterator[str]:
    """Attacks without gradients that beat those with them."""
    whole = _made_through(result, "whole")
    for subject in result.subjects:
        for blind in (t for t in whole if not result.threat_settings(t)["differentiates"]):
            for white in (t for t in whole if result.threat_settings(t)["differentiates"]):
                pair = _first(result, subject, white, blind, 0.05)
                if pair:
                    eps, first, second = pair
                    yield (
                        f"{subject}: at eps {level(eps)} {blind}, which uses no gradients, leaves "
                        f"{second:.0%} and {white} {first:.0%}: its gradients are masked, and the "
                        f"{white} figure is too high."
                    )


def _gaps(result: Result) -> Iterator[str]:
    """What protects only against those who do not know of it."""
    for subject in result.subjects:
        for gray in _made_through(result, "bare"):
            for white in _made_through(result, "whole"):
                pair = _widest(result, subject, gray, white)
                differentiates = result.threat_settings(white)["differentiates"]
                if pair and pair[1] - pair[2] > 0.2 and differentiates:
                    yield (
                        f"{subject}: at eps {level(pair[0])} it keeps {pair[1]:.0%} against an "
                        f"attacker who does not know of it, and {pair[2]:.0%} against one who does."
                    )


def _made_through(result: Result, what: str) -> list[str]:
    return [t for t in result.threats if result.threat_settings(t).get("through") == what]


def _pairs(result: Result, subject: str, a: str, b: str) -> Iterator[tuple[float, float, float]]:
    """(eps, mean of a, mean of b) where both were measured, on the images of both."""
    cells = result.cells()
    for key in cells:
        other = key._replace(threat=b)
        if key.subject == subject and key.threat == a and not key.control and other in cells:
            first, second = cells[key]["accuracy"], cells[other]["accuracy"]
            shared = [i for i in first if i in second]
            if shared:
                yield (
                    key.eps,
                    sum(first[i] for i in shared) / len(shared),
                    sum(second[i] for i in shared) / len(shared),
                )


def _first(
    result: Result, subject: str, a: str, b: str, by: float
) -> tuple[float, float, float] | None:
    return next((p for p in _pairs(result, subject, a, b) if p[2] < p[1] - by), None)


def _widest(
    result: Result, subject: str, a: str, b: str
) -> tuple[float, float, float] | None:
    return max(_pairs(result, subject, a, b), key=lambda p: p[1] - p[2], default=None)

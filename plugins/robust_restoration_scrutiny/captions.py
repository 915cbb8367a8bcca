"""What tables and plots call what they show."""

from __future__ import annotations

from robust_restoration.evaluation.result import Condition, Result
from robust_restoration.evaluation.result.table import level


def title(result: Result, data: str) -> str:
    """What was evaluated on what."""
    settings = result.settings
    who = settings.get("classifier") or settings.get("denoiser") or ", ".join(result.subjects)
    noise = f", {settings['noise']}" if "noise" in settings else ""
    colours = f", {settings['colours']}" if "colours" in settings else ""
    return f"{who} on {data} ({len(result.images(data))} images{colours}){noise}"


def label(key: Condition, result: Result) -> str:
    """A condition's name: threat, and budget and subject where there are several."""
    several = not key.control and len(result.strengths(key.threat)) > 1
    return f"{key.control or key.threat}{' ' + level(key.eps) if several else ''}"

"""Means of a result by condition, as the benchmarks' tables name conditions."""

from __future__ import annotations

from robust_restoration import Result


def means(result: Result, metric: str = "psnr") -> dict[str, float]:
    """Condition to mean: ``noisy`` without an attack, a threat, or ``threat / control``."""
    return {
        "noisy" if row["threat"] == "unattacked"
        else " / ".join(filter(None, [row["threat"], row["control"]])): row[metric]
        for row in result.summary()
    }

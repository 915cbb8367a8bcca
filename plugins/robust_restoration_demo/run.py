"""The demonstration: denoisers under attack, a purifier before a classifier, and a certificate."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any


def run_demo(out: Path | str, *, seed: int = 0, quiet: bool = False) -> dict[str, Any]:
    """Attack two denoisers; train, attack and purify a classifier; show both.

    Args:
        out: Folder for ``photographs.png``, ``digits.png``, ``accuracy.png``, ``certified.png``,
            ``report.html`` and ``demo.json``.
        seed: Of everything random.
        quiet: Print nothing.

    Returns:
        What was measured.
    """
    import torch
    from rich.console import Console

    from robust_restoration.files import check_folder, write_json

    from .digits import purify_digits
    from .photographs import attack_photographs

    out, console, began = Path(out), Console(quiet=quiet), time.monotonic()
    check_folder(out)
    # Networks as small as these gain little from several threads, and lose minutes to them where
    # the machine has other work; with one the figures are the same everywhere, too.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        denoisers = attack_photographs(out, console, seed=seed)
        found = purify_digits(out, console, seed=seed, quiet=quiet)
    finally:
        torch.set_num_threads(threads)
    result, certificates = found.pop("result"), found.pop("certificates")
    summary = {
        "seconds": round(time.monotonic() - began, 1), **found, "denoisers": denoisers["psnr"]
    }
    photographs = denoisers["result"]
    record = {**summary, "result": result.to_dict(), "photographs": photographs.to_dict()}
    write_json(out / "demo.json", record)
    photographs.to_html(
        out / "report.html",
        title="Demonstration of robust_restoration",
        beside=[result, certificates],
    )
    pictures = ", ".join(
        str(out / name)
        for name in (
            "report.html", "photographs.png", "digits.png", "accuracy.png", "certified.png"
        )
    )
    console.print(f"{summary['seconds']:.0f} s. Look at {pictures}.", highlight=False)
    return summary

"""Where the benchmarks' data and published weights lie, and what is said where they are not."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType

from robust_restoration.errors import RobustRestorationError

DATA = Path(os.environ.get("ROBUST_RESTORATION_DATA") or "../shared/data")
WEIGHTS = Path(os.environ.get("ROBUST_RESTORATION_WEIGHTS") or "../shared/weights")


def say_what_is_missing() -> None:
    """End a script that lacks files with one sentence and exit status 1; faults keep a traceback.

    To be called before anything else where a script is run.
    """
    sys.excepthook = _hook


def _hook(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if not isinstance(error, RobustRestorationError | FileNotFoundError):
        sys.__excepthook__(kind, error, trace)
        return
    what = str(error).rstrip(".")
    print(
        f"Error: {what}. Data are looked for in {DATA}, published weights in {WEIGHTS}; the "
        "variables ROBUST_RESTORATION_DATA and ROBUST_RESTORATION_WEIGHTS say otherwise.",
        file=sys.stderr,
    )

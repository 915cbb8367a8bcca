"""Built-in plugin: measuring robustness in the shell."""

from __future__ import annotations

from robust_restoration import Entry, hookimpl


@hookimpl
def commands() -> list[Entry]:
    """The command ``evaluate``."""
    target = "robust_restoration_evaluation.command:evaluate"
    return [Entry("evaluate", target, "denoisers, classifiers, and purifiers before a classifier")]

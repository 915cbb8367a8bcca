"""Built-in plugin: one page that tells what was measured, and commands about results."""

from __future__ import annotations

from robust_restoration import Entry, hookimpl


@hookimpl
def verbs() -> list[Entry]:
    """What ``Result.to_html`` hands over to, and what draws the strips that a page shows."""
    return [
        Entry(
            "to_html",
            "robust_restoration_report.write:write_report",
            "one HTML file without external requests: warnings, tables, curves, strips, settings",
            roles=("to_html",),
        ),
        Entry(
            "strip",
            "robust_restoration_report.strips:write_strip",
            "clean, noisy, restored, attacked, restored attacked, and the differences",
            roles=("write_strip",),
        ),
    ]


@hookimpl
def commands() -> list[Entry]:
    """The commands ``report``, ``compare``, ``models`` and ``leaderboard``."""
    return [
        Entry("report", "robust_restoration_report.command:report", "results as one HTML page"),
        Entry("compare", "robust_restoration_report.command:compare", "what differs between two"),
        Entry(
            "leaderboard",
            "robust_restoration_report.leaderboard.command:leaderboard",
            "many results as a site, and rows measured again",
        ),
        Entry("models", "robust_restoration_report.command:models", "weights, with their figures"),
    ]

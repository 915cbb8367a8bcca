"""Built-in plugin: what a purifier does to one image, as a picture."""

from __future__ import annotations

from robust_restoration import Entry, hookimpl


@hookimpl
def verbs() -> list[Entry]:
    """What ``rr.explain`` is."""
    return [
        Entry(
            "explanation",
            "robust_restoration_explain.explanation:explain",
            "an image before and after a purifier, and what that decided by",
            "AdvFilter, ACM MM 2021, figures 2 to 4",
            roles=("explain",),
        )
    ]

"""Built-in plugin: models that are made already, by the words of the command line."""

from __future__ import annotations

from robust_restoration import Entry, hookimpl


@hookimpl
def verbs() -> list[Entry]:
    """What ``rr.load_classifier`` is, and how commands load denoisers."""
    return [
        Entry(
            "classifier_by_word",
            "robust_restoration_loading.classifier:load_classifier",
            "a timm name, a folder saved by timm, ARCHITECTURE:FILE, or a function",
            roles=("load_classifier",),
        ),
        Entry(
            "denoiser_by_word",
            "robust_restoration_loading.denoiser:load_denoiser",
            "NAME=WEIGHTS, NAME with its usual weights, or a function",
            roles=("load_denoiser",),
        ),
    ]

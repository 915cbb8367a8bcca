"""Built-in plugin: certificates by randomised smoothing."""

from __future__ import annotations

from robust_restoration import Entry, hookimpl


@hookimpl
def certifiers() -> list[Entry]:
    """Randomised smoothing, with a denoiser in front of the classifier or without."""
    return [
        Entry(
            "smoothing",
            "robust_restoration_certify.smoothing:SmoothedClassifier",
            "randomised smoothing: an L2 radius that no attack can break",
            "arXiv:1902.02918",
            roles=("classifier",),
        )
    ]


@hookimpl
def verbs() -> list[Entry]:
    """What ``rr.certify`` and ``rr.create_certifier`` are."""
    return [
        Entry(
            "certify",
            "robust_restoration_certify.certify_images:certify",
            "classes with an L2 radius that no attack can break",
            "arXiv:1902.02918",
            roles=("certify",),
        ),
        Entry(
            "certifier",
            "robust_restoration_certify.certify_images:create_certifier",
            "a module that certifies, around a classifier",
            roles=("create_certifier",),
        ),
    ]


@hookimpl
def commands() -> list[Entry]:
    """The command ``certify``."""
    return [
        Entry(
            "certify",
            "robust_restoration_certify.command:certify",
            "certified accuracy of a classifier over a data set",
            "arXiv:1902.02918",
        )
    ]

"""Conformance checks for authors of plugins; the built-in plugins run them too.

Each check takes one object, tries it on tiny images, and raises `ConformanceError` with a sentence
that says which rule of the contract it breaks. None of them changes what it is given.
"""

from .attacks import check_attack
from .defenses import check_defense
from .image_maps import check_denoiser, check_purifier
from .plugins import check_plugin
from .rules import ConformanceError

__all__ = [
    "ConformanceError",
    "check_attack",
    "check_defense",
    "check_denoiser",
    "check_plugin",
    "check_purifier",
]

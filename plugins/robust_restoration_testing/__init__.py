"""Built-in plugin for authors of plugins: conformance checks, and a package to start from.

Each check takes one object, tries it on tiny images, and raises `ConformanceError` with a sentence
that says which rule of the contract it breaks. None of them changes what it is given. The names
load what they need when they are first used.
"""

from __future__ import annotations

import lazy_loader as _lazy

from robust_restoration import Entry, hookimpl

# Without the lazy __dir__: pluggy reads whatever it lists, and would load all of it.
__getattr__, _, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "attacks": ["check_attack"],
        "defenses": ["check_defense"],
        "image_maps": ["check_denoiser", "check_purifier"],
        "plugins": ["check_plugin"],
        "rules": ["ConformanceError"],
    },
)


@hookimpl
def commands() -> list[Entry]:
    """The command ``new-plugin``."""
    target = "robust_restoration_testing.command:new_plugin"
    return [Entry("new-plugin", target, "a small working package to start from")]

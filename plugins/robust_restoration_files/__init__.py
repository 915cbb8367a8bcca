"""Built-in plugin: files in, files out: restore, attack or purify image files.

``from robust_restoration_files import denoise_files, attack_files, purify_files``: the names load
what they need when they are first used.
"""

from __future__ import annotations

import lazy_loader as _lazy

from robust_restoration import Entry, hookimpl

# Without the lazy __dir__: pluggy reads whatever it lists, and would load all of it.
__getattr__, _, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "apply": ["attack_files", "denoise_files", "purify_files"],
        "find_images": ["find_images"],
    },
)


@hookimpl
def commands() -> list[Entry]:
    """The commands ``purify``, ``denoise`` and ``attack``."""
    at = "robust_restoration_files.command"
    return [
        Entry("purify", f"{at}:purify", "image files, for a classifier"),
        Entry("denoise", f"{at}:denoise", "image files"),
        Entry("attack", f"{at}:attack", "image files, made noisy, and the denoiser behind them"),
    ]

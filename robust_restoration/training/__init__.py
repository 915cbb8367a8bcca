"""The one training loop, its settings, and what a run writes down.

The names below load torch when they are first used: recipes are data, and listing them needs none.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "loop": ["train"],
        "recipes": ["Recipe"],
        "run_folder": ["CHECKPOINT", "minutes_trained"],
        "settings": ["Settings"],
    },
)

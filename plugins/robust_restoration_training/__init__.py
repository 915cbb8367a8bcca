"""Built-in plugin: training by name, from words to weights with a model card, and sharing them.

``from robust_restoration_training import train_by_name``: it loads what it needs when it is first
used.
"""

from __future__ import annotations

import lazy_loader as _lazy

from robust_restoration import Entry, hookimpl

# Without the lazy __dir__: pluggy reads whatever it lists, and would load all of it.
__getattr__, _, __all__ = _lazy.attach(__name__, submod_attrs={"by_name": ["train_by_name"]})


@hookimpl
def verbs() -> list[Entry]:
    """What writes a run's recipe.yaml, and what messages suggest to train by."""
    at = "robust_restoration_training"
    return [
        Entry("run_recipe", f"{at}.run_recipe:recipe_of", "of parts", roles=("recipe_of",)),
        Entry("recipe_file", f"{at}.recipe_file:write_recipe", "YAML", roles=("write_recipe",)),
        Entry(
            "suggested_command",
            f"{at}.suggested_command:train_command",
            "what trains a network, in words",
            roles=("train_command",),
        ),
    ]


@hookimpl
def commands() -> list[Entry]:
    """The commands ``train``, ``weights pack`` and ``weights push``."""
    at = "robust_restoration_training"
    trained = "a denoiser, a purifier or a classifier, from files to weights"
    packed = "pack a run's weights with their model card, and share them"
    return [
        Entry("train", f"{at}.command:train", trained),
        Entry("weights", f"{at}.weights_command:weights", packed),
    ]

"""Built-in plugin: what papers do with attacks, to be imported and called.

``from robust_restoration_studies import transfer, similitude, typical_set_theory``: the names load
what they need when they are first used.
"""

from __future__ import annotations

import lazy_loader as _lazy

from robust_restoration import Entry, hookimpl

# Without the lazy __dir__: pluggy reads whatever it lists, and would load all of it.
__getattr__, _, __all__ = _lazy.attach(
    __name__,
    submodules=["typical_set_theory"],
    submod_attrs={
        "neighbourhood": ["adversarial_space", "patch_attack"],
        "radars": ["circle_samples", "polygon_iou", "radar"],
        "robustness_similitude": ["SimilitudeResult", "similitude"],
        "transferability": ["TransferResult", "transfer"],
    },
)


@hookimpl
def commands() -> list[Entry]:
    """The commands ``transfer`` and ``similitude``."""
    at = "robust_restoration_studies.shell"
    return [
        Entry("transfer", f"{at}:transfer", "attacks made on one denoiser, given to others"),
        Entry("similitude", f"{at}:similitude", "how alike the directions are that hurt denoisers"),
    ]

"""Data sets: images to restore, labelled images, and the named sets of the papers.

The names below load what they need when they are first used: listing named sets loads no torch.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "labelled": ["LabelledImages", "load_labelled"],
        "loading": ["load_images"],
        "locate": ["data_root"],
        "named": ["NAMED", "NamedSet"],
        "pairs": ["RestorationImages"],
    },
)

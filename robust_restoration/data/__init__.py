"""Data sets: images to restore, and labelled images.

The names below load what they need when they are first used: listing data sets loads no torch.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "folders": ["data_root"],
        "labelled": ["LabelledImages", "load_labelled"],
        "restoration_images": ["RestorationImages", "load_images"],
    },
)

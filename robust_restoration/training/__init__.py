"""The one training loop, its settings, and what it writes down."""

from .loop import CHECKPOINT, minutes_trained, train
from .settings import Settings

__all__ = ["CHECKPOINT", "Settings", "minutes_trained", "train"]

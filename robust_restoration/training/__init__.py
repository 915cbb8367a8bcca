"""The one training loop, its settings, training by name, and what a run writes down."""

from .loop import minutes_trained, train
from .run_folder import CHECKPOINT
from .settings import Settings

__all__ = ["CHECKPOINT", "Settings", "minutes_trained", "train"]

"""What an evaluation measured, image by image; tables, plots and exports are views of it."""

from .intervals import Interval
from .result import UNATTACKED, Condition, Record, Result

__all__ = ["UNATTACKED", "Condition", "Interval", "Record", "Result"]

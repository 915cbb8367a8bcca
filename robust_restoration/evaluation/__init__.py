"""One way to measure robustness: ``evaluate(subject, data, threats=...) -> Result``."""

from .result import Result
from .run import evaluate
from .threats import Threat

__all__ = ["Result", "Threat", "evaluate"]

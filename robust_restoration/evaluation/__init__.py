"""Robustness tables with their controls."""

from .denoising import evaluate
from .denoising_result import DenoisingResult
from .purification import PurificationResult, evaluate_purifiers

__all__ = ["DenoisingResult", "PurificationResult", "evaluate", "evaluate_purifiers"]

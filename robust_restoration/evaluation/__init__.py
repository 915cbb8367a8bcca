"""Robustness tables with their controls."""

from .purification import PurificationResult, evaluate_purifiers

__all__ = ["PurificationResult", "evaluate_purifiers"]

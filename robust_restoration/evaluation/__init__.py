"""Robustness tables with their controls."""

from .denoising import evaluate
from .denoising_result import DenoisingResult
from .purification import PurificationResult, evaluate_purifiers
from .similitude import SimilitudeResult, similitude
from .transfer import TransferResult, transfer

__all__ = [
    "DenoisingResult",
    "PurificationResult",
    "SimilitudeResult",
    "TransferResult",
    "evaluate",
    "evaluate_purifiers",
    "similitude",
    "transfer",
]

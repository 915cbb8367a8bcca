"""What a plugin's degradation, denoiser, attack, defense and purifier must be."""

from .attack import Attack
from .defense import Batch, Defense, Stage, Step, TrainingSet
from .degradation import Degradation, Given
from .denoiser import Denoiser
from .freezing import frozen, in_eval_mode, unwrapped
from .purifier import Inside, Purifier

__all__ = [
    "Attack",
    "Batch",
    "Defense",
    "Degradation",
    "Denoiser",
    "Given",
    "Inside",
    "Purifier",
    "Stage",
    "Step",
    "TrainingSet",
    "frozen",
    "in_eval_mode",
    "unwrapped",
]

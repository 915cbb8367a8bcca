"""The settings of the papers' denoiser trainings, and of a small one for processors."""

from __future__ import annotations

from robust_restoration.training.recipes import Recipe

LEVEL = 25 / 255
ADAM = {"lr": 1e-3, "schedule": "steps", "precision": "bf16"}
BLIND = {"sigma": (0.0, LEVEL)}

# 75 epochs of 3000 batches.
OBSATK_GRAY = Recipe(
    "ObsAtk and HAT, gray (arXiv:2201.04397 and its code): 225,000 steps of 128 squares",
    {**ADAM, "steps": 225_000, "batch_size": 128, "milestones": (30 / 75, 50 / 75, 70 / 75)},
    {**BLIND, "patch": 50},
)
# 50 epochs of as many.
OBSATK_COLOUR = Recipe(
    "ObsAtk and HAT, colour (arXiv:2201.04397 and its code): 150,000 steps of 128 squares",
    {**ADAM, "steps": 150_000, "batch_size": 128, "milestones": (20 / 50, 40 / 50)},
    {**BLIND, "patch": 50},
)
# 50 epochs; 238,336 squares of Train400 at stride 10 and four scales, 128 a batch.
TYPICAL_SET = Recipe(
    "DnCNN of the typical-set paper: 93,100 steps of 128 squares at four scales",
    {**ADAM, "steps": 93_100, "batch_size": 128, "milestones": (30 / 50,), "gamma": 0.1},
    {"sigma": LEVEL, "patch": 40, "scales": (1.0, 0.9, 0.8, 0.7)},
    {"depth": 17},
)
COMPACT = Recipe(
    "a small network for a processor: 5,000 steps of 64 squares",
    {**ADAM, "steps": 5_000, "batch_size": 64, "validate_every": 500},
    {**BLIND, "patch": 40},
    {"depth": 10, "features": 32},
)

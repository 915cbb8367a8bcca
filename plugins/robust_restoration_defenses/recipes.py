"""The settings of the papers' denoiser trainings, and of a small one for processors."""

from __future__ import annotations

from robust_restoration.training.recipes import Recipe

LEVEL = 25 / 255
ADAM = {"lr": 1e-3, "schedule": "steps", "precision": "bf16"}
BLIND = {"sigma": (0.0, LEVEL)}
# The ObsAtk paper's code clamps noisy images in training, in validation and before attacks.
OBSATK = {**BLIND, "patch": 50, "clip": (0.0, 1.0)}
# 238,336 squares of Train400 at stride 10 and four scales, 128 a batch, are 1,862 steps an epoch.
EPOCH = 1_862
SQUARES = {"sigma": LEVEL, "patch": 40, "scales": (1.0, 0.9, 0.8, 0.7)}
DNCNN = {**ADAM, "batch_size": 128, "milestones": (30 / 50,), "gamma": 0.1}

# 75 epochs of 3000 batches.
OBSATK_GRAY = Recipe(
    "ObsAtk and HAT, gray (arXiv:2201.04397 and its code): 225,000 steps of 128 squares",
    {**ADAM, "steps": 225_000, "batch_size": 128, "milestones": (30 / 75, 50 / 75, 70 / 75)},
    OBSATK,
)
# 50 epochs of as many.
OBSATK_COLOUR = Recipe(
    "ObsAtk and HAT, colour (arXiv:2201.04397 and its code): 150,000 steps of 128 squares",
    {**ADAM, "steps": 150_000, "batch_size": 128, "milestones": (20 / 50, 40 / 50)},
    OBSATK,
)
# Table 4: the same network, with alpha = 2, for the real noise of PolyU and CC; for SIDD the
# levels go up to 50/255.
OBSATK_REAL = Recipe(
    "HAT for real noise (arXiv:2201.04397, Table 4): colour, alpha = 2",
    OBSATK_COLOUR.settings,
    {**OBSATK, "alpha": 2.0},
)
TYPICAL_SET = Recipe(
    "normally trained DnCNN of the typical-set paper (arXiv:2412.05943): 50 epochs, 93,100 steps "
    "of 128 squares at four scales",
    {**DNCNN, "steps": 50 * EPOCH},
    SQUARES,
    {"depth": 17},
)
# The paper says how long these train, and not when their learning rates fall: at the same share.
TYPICAL_SET_SAMPLING = Recipe(
    "TS-Pres and TS-Def of the typical-set paper (arXiv:2412.05943): 100 epochs",
    {**DNCNN, "steps": 100 * EPOCH},
    SQUARES,
    {"depth": 17},
)
TYPICAL_SET_MIXED = Recipe(
    "training at two levels of the typical-set paper (arXiv:2412.05943): 200 epochs",
    {**DNCNN, "steps": 200 * EPOCH},
    SQUARES,
    {"depth": 17},
)
COMPACT = Recipe(
    "a small network for a processor: 5,000 steps of 64 squares",
    # float32: processors without instructions for bfloat16 take many times longer in it.
    {**ADAM, "steps": 5_000, "batch_size": 64, "validate_every": 500, "precision": "fp32"},
    {**BLIND, "patch": 40},
    {"depth": 10, "features": 32},
)

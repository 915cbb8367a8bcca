"""How many images, steps and held-back images fit into the minutes that a fit may take."""

from __future__ import annotations

import copy
import json
import math
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.contracts import Step
from robust_restoration.errors import InputError, what_is_wrong
from robust_restoration.files import read_text, write_json
from robust_restoration.models.precision import autocast as autocast_to

from .gain import MEASURED_STEPS, STRENGTHS, predictions
from .pairs import attack_of_strength
from .training import AdvFilterTraining

HELD_BACK = (0.2, 8, 60)  # a share of the images, at least, at most
ATTACK_STEPS = 8
BATCH = 12


@dataclass(frozen=True)
class Plan:
    """What fits into the minutes.

    Attributes:
        images: Images that are attacked for training.
        per_image: Attacked images of each.
        steps: Steps of training.
        held_back: Images that the gain is measured on.
        autocast: ``"bf16"`` where that is faster here.
    """

    images: int
    per_image: int
    steps: int
    held_back: int
    autocast: str | None


def make_plan(
    folder: Path,
    about: Mapping[str, Any],
    classifier: nn.Module,
    model: nn.Module,
    clean: Tensor,
    held: Tensor,
    began: float,
) -> Plan:
    """The plan of the run in the folder, or a new one by how fast this machine is."""
    path = folder / "fit.json"
    if path.is_file():
        try:
            known = json.loads(read_text(path))
            plan, before = Plan(**known["plan"]), dict(known["about"])
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise InputError(
                f"{path} is damaged ({what_is_wrong(error)}); give another folder."
            ) from error
        for fact, value in about.items():
            if before.get(fact) != value:
                raise InputError(
                    f"{folder} holds a fit with another {fact}: {before.get(fact)!r} and "
                    f"not {value!r}; give the same, or another folder."
                )
        return plan
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder} holds files, and no fit; give an empty or a new folder.")
    speed = {name: _seconds_of_attack(classifier, clean, name) for name in _precisions(classifier)}
    autocast = min(speed, key=lambda name: speed[name])
    one_step = speed[autocast]  # of one image
    with tempfile.TemporaryDirectory(prefix="fit-") as scratch:
        rough = Plan(BATCH, 1, 1, len(held), autocast)
        filters, detector = _seconds_of_training(
            classifier, model, clean[:BATCH], rough, Path(scratch)
        )
    seconds = float(about["minutes"]) * 60 - (time.monotonic() - began)
    # An image that is held back is attacked at each strength, and looked at some thirty times.
    per_held = one_step * (len(STRENGTHS) * MEASURED_STEPS + 12)
    held_back = min(len(held), max(HELD_BACK[1], int(0.2 * seconds / per_held)))
    copies = 0.35 * seconds / (one_step * (ATTACK_STEPS + 1))
    images = min(len(clean), max(BATCH, int(copies)))
    per_image = min(4, max(1, int(copies / images)))
    spent = held_back * per_held + images * per_image * one_step * (ATTACK_STEPS + 1)
    share = 0.6 * filters + 0.4 * detector
    steps = min(3000, max(5, math.floor((seconds - spent) * 0.95 / share)))
    plan = Plan(images, per_image, steps, held_back, autocast)
    write_json(path, {"about": dict(about), "plan": asdict(plan)})
    return plan


def _precisions(classifier: nn.Module) -> list[str | None]:
    like = next(classifier.parameters(), torch.zeros(()))
    return [None, "bf16"] if like.dtype == torch.float32 else [None]


def _seconds_of_attack(classifier: nn.Module, clean: Tensor, autocast: str | None) -> float:
    """What one step of an attack on one image takes."""
    like = next(classifier.parameters(), torch.zeros(()))
    batch = (clean[:8].float() / 255).to(like)
    labels = predictions(classifier, clean[:8]).to(like.device)
    took = []
    for steps in (1, 3):
        attack = attack_of_strength("torchattacks/pgd", classifier, STRENGTHS[0], steps)
        began = time.perf_counter()
        with autocast_to(batch, autocast):
            attack(batch, labels)
        took.append(time.perf_counter() - began)
    return took[-1] / 3 / len(batch)


def _seconds_of_training(
    classifier: nn.Module, model: nn.Module, clean: Tensor, plan: Plan, scratch: Path
) -> tuple[float, float]:
    """What a step of training takes: of the filters, and of the detector where there is one."""
    method = AdvFilterTraining(
        classifier=classifier, attacks=["torchattacks/fgsm"], attack_steps=1, cache=scratch
    )
    pairs, _ = method.prepare(clean, val_fraction=0.0, progress=False)
    tried = copy.deepcopy(model).train().requires_grad_(True)
    like = next(tried.parameters())
    found: list[float] = []
    for stage in ("filters", "detector"):
        if stage not in {s.name for s in method.stages(tried)}:
            found.append(found[0])
            continue
        took = []
        for number in range(2):
            generator = torch.Generator().manual_seed(number)
            batch = pairs.batch(torch.arange(len(pairs)), generator, stage)
            batch = {name: values.to(like.device) for name, values in batch.items()}
            began = time.perf_counter()
            with torch.autocast(
                like.device.type, torch.bfloat16, enabled=plan.autocast is not None
            ):
                loss, _ = method.loss(tried, batch, Step(stage, 0.0, generator))
            loss.backward()
            took.append(time.perf_counter() - began)
        found.append(min(took))
    return found[0], found[1]



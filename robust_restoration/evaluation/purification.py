"""How much purifiers protect a classifier, against attackers who do and do not know of them.

AdvFilter's tables attack the bare classifier (gray-box). Beside that stand here the attack
end to end through the purifier (white-box) and Square, which uses no gradients, through it too: a
purifier that Square breaks more often than the white-box attack does only hides its gradients.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.data import LabelledImages
from robust_restoration.environment import environment
from robust_restoration.errors import InputError
from robust_restoration.files import write_json
from robust_restoration.images.metrics import psnr, ssim
from robust_restoration.models.classifiers import (
    check_classifier,
    classifier_name,
    with_unit_range,
)
from robust_restoration.models.create import create_attack
from robust_restoration.models.purify import find_purifier

from .progress import progress_bar
from .purification_result import PurificationResult
from .whitebox import attackable

# AdvFilter, Table 1: no attack, and {1, 3, 5} * 10^-m for m = 4, 3, 2, 1.
STRENGTHS = (0.0, *(float(f"{digit}e-{power}") for power in (4, 3, 2, 1) for digit in (1, 3, 5)))
THREATS = ("gray-box", "white-box", "square")
NONE = "none"


def evaluate_purifiers(
    classifier: nn.Module,
    data: LabelledImages,
    *,
    purifiers: Mapping[str, nn.Module] | Sequence[str],
    strengths: Sequence[float] = STRENGTHS,
    threats: Sequence[str] = THREATS,
    attack: str = "torchattacks/pgd",
    steps: int = 40,
    white_box_images: int | None = None,
    white_box_steps: int | None = None,
    square_queries: int = 200,
    draws: int = 8,
    batch_size: int = 32,
    seed: int = 0,
    state: Path | str | None = None,
    progress: bool = True,
) -> PurificationResult:
    """Accuracy behind each purifier, at each strength, under each threat.

    Args:
        classifier: The bare classifier.
        data: Test images with labels.
        purifiers: Names, or names with modules. The bare classifier is always a row, ``none``.
        strengths: The eps of the attacks, L-infinity, as fractions of [0, 1]; 0 is no attack.
        threats: Which of ``gray-box`` (made on the bare classifier), ``white-box`` (made through
            the purifier: straight-through where it is not differentiable, expectation where it
            is random) and ``square`` (black-box, through the purifier). In the last two, an
            image misclassified at a strength counts as such at all larger ones, since the
            perturbation is allowed there too.
        attack: The attack of the first two; it takes ``eps``, ``alpha``, ``steps``.
        steps: Its steps in gray-box, from a random start; together they are 4/3 eps long, so that
            the paper's 40 are eps/30 each.
        white_box_images: How many of the images the last two threats use; ``None`` for all.
        white_box_steps: Its steps in white-box, each of 2.5 eps/steps; as ``steps`` if ``None``.
        square_queries: Queries an image.
        draws: Draws of the expectation over a random purifier.
        batch_size: Images attacked at a time.
        seed: Of random starts and of Square.
        state: A JSON file with what was computed; an interrupted evaluation goes on from it.
        progress: Show a progress bar.

    Returns:
        The table, which prints, plots and exports.

    Raises:
        InputError: If the images do not fit the classifier, or an option makes no sense.
    """
    unknown = set(threats) - set(THREATS)
    if unknown or min(strengths) < 0:
        raise InputError(
            f"threats are {list(threats)} and strengths {list(strengths)}; expected threats out of "
            f"{', '.join(THREATS)} and strengths of at least 0."
        )
    check_classifier(classifier, data.pixels(slice(0, 1)).to(_device(classifier)), "data")
    size = min(data.images.shape[-2:])
    if not isinstance(purifiers, Mapping):
        purifiers = {name: find_purifier(classifier, name, size=size) for name in purifiers}
    rows: dict[str, nn.Module] = {NONE: nn.Identity(), **purifiers}
    settings = {
        "classifier": classifier_name(classifier),
        "data": data.name,
        "data_hash": data.fingerprint(),
        "images": len(data),
        "attack": attack,
        "steps": steps,
        "white_box_images": min(white_box_images or len(data), len(data)),
        "white_box_steps": white_box_steps or steps,
        "square_queries": square_queries,
        "draws": draws,
        "seed": seed,
    }
    result = _resume(state, settings)
    # Results are kept by the purifier's weights too: a retrained one is computed anew.
    marks = {name: _mark(module) for name, module in rows.items()}
    result.forget({name for name in rows if result.marks.get(name) not in (None, marks[name])})
    result.marks.update(marks)
    result.order = list(rows)
    work = _Work(classifier, data, result, settings, batch_size, Path(state) if state else None)
    with progress_bar(progress, len(rows) * len(strengths) * len(threats)) as advance:
        ordered = sorted(set(strengths))
        for threat in threats:
            if threat == "gray-box":
                work.gray_box(rows, ordered, advance)
            else:
                for name, purifier in rows.items():
                    work.through(threat, name, purifier, ordered, advance)
    return result


class _Work:
    """The classifier, the images, and the table being filled."""

    def __init__(
        self,
        classifier: nn.Module,
        data: LabelledImages,
        result: PurificationResult,
        settings: dict[str, Any],
        batch_size: int,
        state: Path | None,
    ) -> None:
        self.bare = with_unit_range(classifier).eval()
        self.data, self.result, self.settings = data, result, settings
        self.batch_size, self.state = batch_size, state
        self.device = _device(classifier)

    def gray_box(self, rows: Mapping[str, nn.Module], strengths: list[float], advance: Any) -> None:
        """One set of attacked images a strength, seen by every purifier."""
        steps = self.settings["steps"]
        for eps in strengths:
            missing = [n for n in rows if not self.result.has(n, "gray-box", eps)]
            if missing:
                sums = {name: torch.zeros(3, dtype=torch.float64) for name in missing}
                for clean, labels in self._batches(len(self.data)):
                    attacked = self._attack(
                        self.bare, clean, labels, eps, steps, eps * 4 / 3 / steps
                    )
                    for name in missing:
                        with torch.no_grad():
                            pure = rows[name](attacked)
                            right = (self.bare(pure).argmax(1) == labels).sum()
                        quality = (psnr(pure, clean).clamp(max=100).sum(), ssim(pure, clean).sum())
                        sums[name] += torch.stack([right.cpu(), *(q.cpu() for q in quality)])
                for name, total in sums.items():
                    accuracy, decibel, similarity = (total / len(self.data)).tolist()
                    self._put(name, "gray-box", eps, len(self.data), accuracy,
                              psnr=decibel, ssim=similarity)
            advance(len(rows))

    def through(
        self, threat: str, name: str, purifier: nn.Module, strengths: list[float], advance: Any
    ) -> None:
        """Attack purifier and classifier as one; what fell at a smaller strength stays fallen."""
        count = self.settings["white_box_images"]
        if all(self.result.has(name, threat, eps) for eps in strengths):
            advance(len(strengths))
            return
        whole = attackable(self.bare, purifier, self.settings["draws"]).eval()
        standing = torch.ones(count, dtype=torch.bool)
        for eps in strengths:
            start = 0
            for clean, labels in self._batches(count):
                rows = start + standing[start : start + len(labels)].nonzero().flatten()
                left = rows - start
                start += len(labels)
                if not len(rows):
                    continue
                clean, labels = clean[left], labels[left]
                if eps == 0:
                    attacked = clean
                elif threat == "square":
                    attacker = create_attack(
                        "torchattacks/square",
                        whole,
                        eps=eps,
                        n_queries=self.settings["square_queries"],
                        seed=self.settings["seed"],
                    )
                    attacked = attacker(clean, labels)
                else:
                    steps = self.settings["white_box_steps"]
                    attacked = self._attack(whole, clean, labels, eps, steps, 2.5 * eps / steps)
                with torch.no_grad():
                    standing[rows] = (whole(attacked).argmax(1) == labels).cpu()
            self._put(name, threat, eps, count, float(standing.double().mean()))
            advance(1)

    def _attack(
        self,
        model: nn.Module,
        clean: Tensor,
        labels: Tensor,
        eps: float,
        steps: int,
        alpha: float,
    ) -> Tensor:
        if eps == 0:
            return clean
        attacker = create_attack(
            self.settings["attack"], model, eps=eps, alpha=alpha, steps=steps
        )
        with torch.random.fork_rng():
            torch.manual_seed(self.settings["seed"])
            return attacker(clean, labels)

    def _batches(self, count: int) -> Any:
        for start in range(0, count, self.batch_size):
            part = slice(start, min(start + self.batch_size, count))
            pixels = self.data.pixels(part).to(self.device)
            yield (
                pixels.contiguous(memory_format=torch.channels_last),
                self.data.labels[part].to(self.device),
            )

    def _put(self, name: str, threat: str, eps: float, n: int, accuracy: float, **more: float) \
            -> None:
        self.result.put(name, threat, eps, {"accuracy": accuracy, "images": n, **more})
        if self.state is not None:
            self.result.to_json(self.state)


def _resume(state: Path | str | None, settings: dict[str, Any]) -> PurificationResult:
    if state is not None and Path(state).exists():
        found = PurificationResult.from_json(state)
        changed = [k for k, v in settings.items() if found.settings.get(k) != v]
        if changed:
            raise InputError(
                f"{state} was computed with other settings ({', '.join(changed)}); use the same, "
                "or another file."
            )
        return found
    result = PurificationResult(settings=settings, environment=environment())
    if state is not None:
        write_json(state, result.to_dict())
    return result


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters(), torch.zeros(())).device


def _mark(module: nn.Module) -> str:
    digest = hashlib.sha256(type(module).__name__.encode())
    digest.update(json.dumps(getattr(module, "options", {}), sort_keys=True, default=str).encode())
    for tensor in module.state_dict().values():
        digest.update(tensor.detach().cpu().double().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]

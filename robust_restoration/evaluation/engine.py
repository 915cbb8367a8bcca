"""The engine: subjects under threats, block by block of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor

from robust_restoration import verbs
from robust_restoration.contracts import Attack
from robust_restoration.plugins.registry import registry
from robust_restoration.plugins.targets import load_target

from .result import UNATTACKED, Record
from .state import State
from .tasks import Block, Figures, Task
from .threats import WHOLE, Threat

CHECKED = 4  # images on which signs of masked gradients are looked for


class Engine:
    """Measures what is missing of an evaluation.

    Args:
        task: Subjects and data.
        threats: Parsed ones.
        eps: Budgets of threats without any of their own.
        controls: Whether threats that do not say so are measured with controls.
        strips: A folder for pictures.
    """

    def __init__(
        self,
        task: Task,
        threats: Sequence[Threat],
        eps: Sequence[float],
        *,
        controls: bool,
        strips: Path | None,
    ) -> None:
        self.task, self.threats = task, threats
        self.strengths = {threat.name: threat.strengths(eps) for threat in threats}
        self.controls, self.strips = controls, strips
        self.made: dict[tuple[str, str, float], Attack] = {}

    def attack(self, threat: Threat, subject: str, eps: float) -> Attack:
        """The attack of a threat on a subject, made once."""
        key = (threat.name, subject, eps)
        if key not in self.made:
            self.made[key] = self.task.attack(threat, subject, eps)
        return self.made[key]

    def described(self) -> dict[str, dict[str, object]]:
        """The threats as plain data."""
        first = next(iter(self.task.subjects))
        every = [(threat, self.strengths[threat.name]) for threat in self.threats]
        return {t.name: t.described(self.attack(t, first, eps[0]), eps) for t, eps in every}

    def block(self, numbers: Sequence[int], kept: State, advance: Callable[[int], None]) -> bool:
        """Measure what is missing of a block; tells whether anything was."""
        task, before = self.task, len(kept.records)
        for subject in task.subjects:
            if kept.missing(subject, UNATTACKED, [task.names[n] for n in numbers]):
                block = task.block(numbers)
                kept.add(self.measured(subject, block, block.inputs, UNATTACKED)[1])
            advance(len(numbers))
        for threat in self.threats:
            rows = [n for n in numbers if threat.limit is None or n < threat.limit]
            names = [task.names[n] for n in rows]
            for group in task.groups(threat):
                missing = [s for s in group if kept.missing(s, threat.name, names)]
                if missing:
                    kept.add(self.threatened(threat, group, missing, rows))
                    kept.save(soon=True)
                advance(len(numbers) * len(group) * len(self.strengths[threat.name]))
        return len(kept.records) > before

    def threatened(
        self, threat: Threat, group: Sequence[str], missing: Sequence[str], numbers: list[int]
    ) -> list[Record]:
        """Records of the subjects of a group under a threat, at all strengths."""
        found: list[Record] = []
        task, source, standing = self.task, group[0], None
        if task.accumulates and len(group) == 1 and threat.through == WHOLE:
            block = task.block(numbers)
            attacked = block.inputs
            figures = task.figures(source, task.output(source, attacked, block), attacked, block)
            standing = figures["accuracy"].bool().cpu()
        for eps in self.strengths[threat.name]:
            block, attack = task.block(numbers, eps), self.attack(threat, source, eps)
            if standing is None:
                attacked = task.attacked(attack, block)
            elif standing.any():
                rows = standing.nonzero().flatten().tolist()
                attacked = attacked.clone()
                attacked[rows] = task.attacked(attack, block.rows(rows))
            for subject in missing:
                output, records = self.measured(
                    subject, block, attacked, threat.name, eps, standing=standing
                )
                found += records
                self.draw(threat, eps, subject, block, attacked, output)
            chosen = self.controls if threat.controls is None else threat.controls
            for name in task.controls if chosen else ():
                changed = task.control(name, attack, attacked, block)
                for subject in missing:
                    found += self.measured(subject, block, changed, threat.name, eps, name)[1]
        return found

    def measured(
        self,
        subject: str,
        block: Block,
        images: Tensor,
        threat: str,
        eps: float = 0.0,
        control: str = "",
        standing: Tensor | None = None,
    ) -> tuple[Tensor, list[Record]]:
        """A subject's output on images, and records of its figures.

        Args:
            subject: The subject.
            block: The images as they came.
            images: What became of them.
            threat: Under which threat.
            eps: At which strength.
            control: As which control.
            standing: (N,), which images did not fall at a smaller eps; others are not right. Those
                that fall now are taken out.
        """
        task = self.task
        output = task.output(subject, images, block)
        figures: Figures = task.figures(subject, output, images, block)
        if standing is not None:
            standing &= figures["accuracy"].bool().cpu()
            figures["accuracy"] = standing.float()
        return output, [
            Record(subject, task.data.name, task.names[n], threat, eps, control, metric, value)
            for metric, values in figures.items()
            for n, value in zip(block.numbers, values.tolist(), strict=True)
        ]

    def draw(
        self, threat: Threat, eps: float, subject: str, block: Block, attacked: Tensor,
        after: Tensor,
    ) -> None:
        """One strip an image, where they are asked for."""
        if self.strips is None:
            return
        before = self.task.output(subject, block.inputs, block)
        words = [subject] * (len(self.task.subjects) > 1) + [threat.name]
        words += [f"{255 * eps:g}"] * (len(self.strengths[threat.name]) > 1)
        for row, number in enumerate(block.numbers):
            images = (block.clean, block.inputs, before, attacked, after)
            path = self.strips / strip_name(self.task.names[number], *words)
            verbs.write_strip(path, *(i[row] for i in images))

    def checks(self) -> list[str]:
        """What the plugins' checks remark on attacks through the whole, on a few images."""
        task, notes = self.task, list[str]()
        alike = [n for n, shape in enumerate(task.shapes) if shape == task.shapes[0]][:CHECKED]
        looks = [load_target(offer.entry) for offer in registry().offers["checks"]]
        for threat in self.threats if looks else ():
            eps = self.strengths[threat.name][-1]
            for group in task.groups(threat) if threat.through == WHOLE else ():
                attack, block = self.attack(threat, group[0], eps), task.block(alike, eps)
                if task.role == "classifier" and not attack.differentiates:
                    continue
                attacked = task.attacked(attack, block)
                label = threat.name if len(task.subjects) == 1 else f"{group[0]}, {threat.name}"
                notes += [
                    f"{label}: {sentence} (seen on {len(alike)} images)."
                    for look in looks
                    for sentence in look(task, group[0], attack, attacked, block)
                ]
        return notes


def strip_name(image: str, *words: str) -> str:
    """Where a strip lies in its folder: as the image in its own, what it shows in its name.

    Args:
        image: The image's name, with a "/" after each folder.
        *words: Subject, threat and strength, as far as there are several.
    """
    # Names may be anything, but nothing is written outside the folder.
    inside = [f"({part})" if part in ("", ".", "..") else part for part in image.split("/")]
    return ".".join(["/".join(inside), *(word.replace("/", "-") for word in words), "png"])

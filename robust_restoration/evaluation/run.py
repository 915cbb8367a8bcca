"""The engine: subjects, data and threats in, a `Result` out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robust_restoration.contracts import Attack, Degradation, Denoiser, frozen, unwrapped
from robust_restoration.data import load_images, load_labelled
from robust_restoration.degradations.gaussian import Gaussian
from robust_restoration.degradations.names import parse_noise
from robust_restoration.environment import environment
from robust_restoration.errors import InputError, cleaned
from robust_restoration.models import precision
from robust_restoration.models.classifiers import classifier_name, input_channels
from robust_restoration.models.purify import find_purifier
from robust_restoration.numbers import check_count

from .controls import control
from .masking import signs_of_masking
from .processes import Processes
from .progress import progress_bar
from .result import UNATTACKED, Record, Result
from .state import State
from .strips import write_strip
from .subjects import Block, Classification, Restoration, Task, is_classifier, weights_hash
from .threats import (
    WHOLE,
    Threat,
    attacked_images,
    budget,
    describe,
    make_attack,
    parse_threats,
)

CHECKED = 4  # images on which signs of masked gradients are looked for
BUDGETS = {"denoiser": (5 / 255,), "classifier": (1 / 255, 2 / 255, 4 / 255, 8 / 255)}
BATCH = {"denoiser": 8, "classifier": 32}


def evaluate(
    subject: nn.Module | Mapping[str, nn.Module],
    data: Any,
    *,
    purifiers: Sequence[str] | Mapping[str, nn.Module] | None = None,
    threats: Any = None,
    eps: float | Sequence[float] | None = None,
    sigma: float | None = 25 / 255,
    noise: Degradation | str | None = None,
    within_level: bool = False,
    controls: bool = True,
    checks: bool = True,
    metrics: Sequence[str] | None = None,
    channels: int | None = None,
    size: int | None = None,
    limit: int | None = None,
    root: Path | str | None = None,
    batch_size: int | None = None,
    tile: int | None = 512,
    autocast: str | None = None,
    strips: Path | str | None = None,
    seed: int = 0,
    state: Path | str | None = None,
    name: str | None = None,
    progress: bool = True,
) -> Result:
    """Measure robustness: of denoisers, of classifiers, of purifiers before a classifier.

    Each subject is measured on the images as they come and under each threat, with controls beside
    it. An image's figures depend on the seed and its number alone: neither on what ran before nor
    on the number of processes (``accelerate launch``, ``torchrun``), over which blocks of images
    are split.

    Args:
        subject: A denoiser or any module from images to images; a classifier; or a mapping from
            names to several denoisers, or to several classifiers. What a plain module is, it is
            asked with the first image.
        data: For denoisers what `load_images` takes, a set's name, a folder, tensors;
            sets of real noise are taken with their noise. For classifiers what `load_labelled`
            takes.
        purifiers: Before the classifier: names, ``NAME=WEIGHTS``, or names with modules. The bare
            classifier is always a row, ``none``.
        threats: A list of words, attacks, dictionaries and `Threat`s, or a mapping from labels to
            these. A word is ``"NAME option=value ..."``, with an attack's name; or ``"gray-box"``
            (made on the bare classifier), ``"white-box"`` (made through the purifier, or on the
            denoiser) or ``"black-box"`` (without gradients, through the purifier). By default, the
            usual attack on denoisers, and these three on classifiers. In those that go through a
            purifier, an image misclassified at a strength counts as such at all larger ones, since
            the perturbation is allowed there too.
        eps: Budget of threats without one of their own, one or several, as fractions of [0, 1];
            by default 5/255 for denoisers, and 1, 2, 4 and 8/255 for classifiers.
        sigma: Level of the Gaussian noise, as a fraction of [0, 1], and what denoisers that are not
            blind are told. ``None`` where they are blind and ``noise`` is given.
        noise: Another noise than Gaussian of ``sigma``: a noise model, any `Degradation`, or a word
            as `create_noise` takes it.
        within_level: Attack images whose noise has the level sigma less the attack's eps, so that
            noise and perturbation together stay within sigma (arXiv:2201.04397, "Atk" columns).
            Without it the very images of the row ``unattacked`` are attacked.
        controls: Also measure what has the attack's size but not its knowledge, see `controls`.
        checks: Look for masked gradients on the first four images of each threat.
        metrics: Names out of ``psnr``, ``ssim``, ``mae`` and the metrics of plugins; classifiers
            are measured by ``accuracy`` besides.
        channels: Of the images; by default the subject's.
        size: Side that labelled images are brought to.
        limit: Use only the first so many images.
        root: Where named data sets lie.
        batch_size: Images of the same size that are attacked at a time; by default 8 for denoisers
            and 32 for classifiers.
        tile: Images with a side above 1024 are restored in tiles of this side; ``None`` for never.
        autocast: ``"bf16"`` or ``"fp16"``, in which networks run; ``None`` for float32.
        strips: A folder for pictures, one strip an image and threat.
        seed: Of noise, random starts, random subjects and controls.
        state: A JSON file of the result in the making; a stopped evaluation goes on from it.
        name: What the table calls a single denoiser or classifier; its class by default.
        progress: Show a progress bar.

    Returns:
        Everything measured; it prints, plots and exports.

    Raises:
        InputError: If the subject does not fit the images, an option makes no sense, or ``state``
            was computed with other settings.
        DataError: If there are no such data.

    Example:
        >>> rr.evaluate(denoiser, "photos/", sigma=25 / 255, eps=[2 / 255, 5 / 255])
        >>> rr.evaluate(classifier, "test/", threats=["gray-box", "white-box"], eps=4 / 255)
    """
    precision.check_autocast(autocast)
    if batch_size is not None:
        check_count("batch_size", batch_size)
    check_count("seed", seed, at_least=0)
    for option, value in (("metrics", metrics), ("purifiers", purifiers)):
        if isinstance(value, str):
            raise InputError(f"{option} is {value!r}; expected a list: {option}=[{value!r}].")
    processes = Processes()
    named = isinstance(subject, Mapping)
    subjects = dict(subject) if isinstance(subject, Mapping) else {
        name or type(subject).__name__: subject
    }
    strange = [m for m in subjects.values() if not isinstance(m, nn.Module)]
    if strange or not subjects:
        raise InputError(
            f"subject is {cleaned(repr(strange[0] if strange else subjects))}; expected a denoiser "
            "or classifier (nn.Module), or a mapping from names to several."
        )
    kinds = {n: is_classifier(m, data, size, root) for n, m in subjects.items()}
    if len(set(kinds.values())) > 1:
        raise InputError(
            f"{', '.join(n for n, k in kinds.items() if k)} gives logits and "
            f"{', '.join(n for n, k in kinds.items() if not k)} images; evaluate classifiers and "
            "denoisers each on their own."
        )
    common = {"seed": seed, "autocast": autocast, "metrics": metrics}
    about: dict[str, Any] = {}
    task: Task
    if all(kinds.values()):
        if within_level or noise is not None:
            raise InputError("noise and within_level are for denoisers; leave them out.")
        if purifiers and named:
            raise InputError("purifiers stand before one classifier; give it without a mapping.")
        bare = next(iter(subjects.values()))
        labelled = load_labelled(
            data, size=size, channels=channels or _channels(bare, data), limit=limit, root=root
        )
        side = min(labelled.images.shape[-2:])
        chosen = dict(purifiers) if isinstance(purifiers, Mapping) else {
            word: _purifier(bare, word, side) for word in purifiers or ()
        }
        task = Classification(subjects, chosen, labelled, **common)
        damaged, images = labelled.damaged, labelled
        about["classifier"] = name or ", ".join(
            subjects if named else [classifier_name(bare)]
        )
        about["classifier_weights"] = ", ".join(weights_hash(m) for m in subjects.values())
        marks = {n: weights_hash(m) for n, m in task.purifiers.items()}
    else:
        if purifiers:
            raise InputError("purifiers stand before a classifier, and the subject is a denoiser.")
        own = {m.channels for m in map(unwrapped, subjects.values()) if isinstance(m, Denoiser)}
        pairs = load_images(
            data, root=root, channels=channels or next(iter(own - {None}), None), limit=limit
        )
        model = _noise(noise, sigma, within_level, pairs)
        task = Restoration(
            subjects, pairs, noise=model, sigma=sigma, within_level=within_level, tile=tile,
            **common,
        )
        damaged, images = pairs.damaged, pairs
        about |= {
            "denoiser": ", ".join(subjects), "noise": _describe_noise(model, noise, sigma),
            "sigma": sigma, "within_level": within_level,
        }
        marks = {n: weights_hash(m) for n, m in subjects.items()}
    found = parse_threats(threats, task.role, list(task.subjects))
    given = replace(Threat(name="eps"), eps=eps).strengths() or BUDGETS[task.role]
    work = _Evaluation(task, found, given, controls, Path(strips) if strips else None)
    kept = State(
        Path(state) if state else None,
        {
            **about,
            "data": images.name,
            "data_hash": images.fingerprint(),
            "images": len(images),
            "metrics": list(task.metrics),
            "controls": controls,
            "seed": seed,
            "autocast": autocast,
            "threats": work.described(),
        },
        marks,
        names=task.names,
        replaceable=isinstance(task, Classification),
        processes=processes,
    )
    where = environment()
    blocks = _blocks(task.shapes, batch_size or BATCH[task.role])
    total = len(images) * len(task.subjects) * (
        1 + sum(len(budget(threat, given)) for threat in found)
    )
    computed = False
    # Modes and flags are put back at the end, whatever making purified classifiers does to them.
    with (
        frozen(nn.ModuleList(task.subjects.values())),
        progress_bar(progress and processes.main, math.ceil(total / processes.count)) as advance,
    ):
        for numbers in processes.share(blocks):
            computed |= work.block(
                numbers, kept, advance, lambda: kept.save(where, damaged, soon=True)
            )
        kept.save(where, damaged)
    computed = any(flag for flags in processes.gather([computed]) for flag in flags)
    kept.gather()
    work.check_complete(kept)
    if checks and (computed or not kept.notes):
        kept.notes = processes.from_main(work.checks() if processes.main else None)
    kept.finish(where, damaged)
    return kept.result(where, damaged).only(
        subjects=list(task.subjects), threats=[UNATTACKED, *(t.name for t in found)]
    )


class _Evaluation:
    """Subjects under threats, block by block of images."""

    def __init__(
        self,
        task: Task,
        threats: Sequence[Threat],
        eps: Sequence[float],
        controls: bool,
        strips: Path | None,
    ) -> None:
        self.task, self.threats, self.eps = task, threats, eps
        self.controls, self.strips = controls, strips
        self.made: dict[tuple[str, str, float], Attack] = {}

    def attack(self, threat: Threat, subject: str, eps: float) -> Attack:
        """The attack of a threat on a subject, made once."""
        key = (threat.name, subject, eps)
        if key not in self.made:
            task = self.task
            model = task.attacked_model(threat, subject)
            options: dict[str, Any] = {"autocast": task.autocast}
            if isinstance(task, Restoration):
                options["sigma"] = task.level(model)
            self.made[key] = make_attack(
                threat,
                model,
                eps,
                seed=task.seed,
                classifier=isinstance(task, Classification),
                **{k: v for k, v in options.items() if v is not None},
            )
        return self.made[key]

    def described(self) -> dict[str, Any]:
        """The threats as plain data."""
        first = next(iter(self.task.subjects))
        found = {}
        for threat in self.threats:
            strengths = budget(threat, self.eps)
            if not strengths:
                raise InputError(
                    f"The threat {threat.name!r} has no eps above 0; expected at least one."
                )
            attack = self.attack(threat, first, strengths[0])
            found[threat.name] = describe(threat, attack, strengths)
        return found

    def block(
        self,
        numbers: Sequence[int],
        kept: State,
        advance: Callable[[int], None],
        pause: Callable[[], None],
    ) -> bool:
        """Measure what is missing of a block; tells whether anything was."""
        task, names = self.task, [self.task.names[n] for n in numbers]
        computed, block = False, None
        for subject in task.subjects:
            if not kept.has(subject, UNATTACKED, names):
                block = block or task.block(numbers)
                kept.add(self.measured(subject, block, block.inputs, UNATTACKED, 0.0, "")[1])
                computed = True
            advance(len(numbers))
        for threat in self.threats:
            rows = [r for r, n in enumerate(numbers) if threat.limit is None or n < threat.limit]
            strengths = budget(threat, self.eps)
            for group in task.groups(threat):
                images = [names[r] for r in rows]
                missing = [s for s in group if not kept.has(s, threat.name, images)]
                if missing and rows:
                    whole = [numbers[r] for r in rows]
                    kept.add(self.threatened(threat, strengths, group, missing, whole))
                    computed = True
                    pause()
                advance(len(numbers) * len(group) * len(strengths))
        return computed

    def threatened(
        self,
        threat: Threat,
        strengths: Sequence[float],
        group: Sequence[str],
        missing: Sequence[str],
        numbers: Sequence[int],
    ) -> list[Record]:
        """Records of the subjects of a group under a threat, at all strengths."""
        found: list[Record] = []
        task, source = self.task, group[0]
        alone = task.accumulates and len(group) == 1 and threat.through == WHOLE
        standing = torch.ones(len(numbers), dtype=torch.bool)
        block = task.block(numbers, strengths[0])
        attacked = block.inputs
        if alone:
            output = task.output(source, attacked, block)
            figures = task.figures(source, output, attacked, block)
            standing = figures["accuracy"].bool().cpu()
        for eps in strengths:
            block = task.block(numbers, eps)
            attack = self.attack(threat, source, eps)
            if not alone:
                attacked = self.attacked(attack, block)
            elif standing.any():
                rows = standing.nonzero().flatten().tolist()
                attacked = attacked.clone()
                attacked[rows] = self.attacked(attack, block.rows(rows))
            for subject in missing:
                outputs, records = self.measured(
                    subject, block, attacked, threat.name, eps, "",
                    standing=standing if alone else None,
                )
                if alone:
                    right = [r.value for r in records if r.metric == "accuracy"]
                    standing &= torch.tensor(right).bool()
                found += records
                self.draw(threat, eps, subject, block, attacked, outputs)
            chosen = self.controls if threat.controls is None else threat.controls
            for name in task.controls if chosen else ():
                changed = control(
                    name, attack, block.inputs, attacked, block.clean,
                    seed=task.seed + 1, index=numbers,
                )
                if isinstance(task, Classification):
                    changed = changed.clamp(0, 1)
                for subject in missing:
                    found += self.measured(subject, block, changed, threat.name, eps, name)[1]
        return found

    def attacked(self, attack: Attack, block: Block) -> Tensor:
        """The images of a block under an attack."""
        task = self.task
        # Attacks on denoisers take the precision as an option, and keep their own sums in float32.
        narrow = task.autocast if isinstance(task, Classification) else None
        with precision.autocast(block.inputs, narrow):
            return attacked_images(
                attack, block.inputs, block.targets, block.numbers, seed=task.seed
            )

    def measured(
        self,
        subject: str,
        block: Block,
        images: Tensor,
        threat: str,
        eps: float,
        name: str,
        standing: Tensor | None = None,
    ) -> tuple[Tensor, list[Record]]:
        """A subject's output on images, and records of its figures.

        An image that does not stand any more, since it fell at a smaller eps, is not right.
        """
        task = self.task
        output = task.output(subject, images, block)
        figures = task.figures(subject, output, images, block)
        if standing is not None:
            figures["accuracy"] = figures["accuracy"].cpu() * standing
        data = task.data_name
        return output, [
            Record(subject, data, task.names[number], threat, eps, name, metric, value)
            for metric, values in figures.items()
            for number, value in zip(block.numbers, values.tolist(), strict=True)
        ]

    def draw(
        self, threat: Threat, eps: float, subject: str, block: Block, attacked: Tensor,
        after: Tensor,
    ) -> None:
        """One strip an image, where they are asked for."""
        if self.strips is None:
            return
        before = self.task.output(subject, block.inputs, block)
        several = len(self.task.subjects) > 1
        for row, number in enumerate(block.numbers):
            parts = [self.task.names[number], *([subject] if several else []), threat.name]
            if len(budget(threat, self.eps)) > 1:
                parts.append(f"{255 * eps:g}")
            path = self.strips / ".".join(p.replace("/", "-") for p in [*parts, "png"])
            images = (block.clean, block.inputs, before, attacked, after)
            write_strip(path, *(i[row] for i in images))

    def check_complete(self, kept: State) -> None:
        """See that no image is missing, such as those of a process that died.

        Raises:
            InputError: If one is.
        """
        for subject in self.task.subjects:
            for threat, limit in [(UNATTACKED, None), *((t.name, t.limit) for t in self.threats)]:
                names = self.task.names[:limit]
                missing = [n for n in names if not kept.has(subject, threat, [n])]
                if missing:
                    raise InputError(
                        f"There are no figures of {subject} under {threat!r} for {len(missing)} of "
                        f"{len(names)} images, such as {missing[0]}: a process ended early. Run it "
                        "again; with a state file it goes on from there."
                    )

    def checks(self) -> list[str]:
        """Signs of masked gradients on the first images of one size."""
        task, notes = self.task, list[str]()
        shape = task.shapes[0]
        numbers = [n for n, s in enumerate(task.shapes) if s == shape][:CHECKED]
        for threat in self.threats:
            if threat.through != WHOLE:
                continue
            eps = budget(threat, self.eps)[-1]
            block = task.block(numbers, eps)
            for group in task.groups(threat):
                subject = group[0]
                attack = self.attack(threat, subject, eps)
                if isinstance(task, Classification) and not attack.differentiates:
                    continue
                attacked = self.attacked(attack, block)
                label = threat.name if len(task.subjects) == 1 else f"{subject}, {threat.name}"
                notes += [
                    f"{label}: {sentence} (seen on {len(numbers)} images)."
                    for sentence in signs_of_masking(task, subject, attack, attacked, block)
                ]
        return notes


def _purifier(classifier: nn.Module, word: str, side: int) -> nn.Module:
    name, _, weights = word.partition("=")
    return find_purifier(classifier, name, weights=weights or None, size=side)


def _blocks(shapes: Sequence[torch.Size], size: int) -> list[list[int]]:
    """Images of one size in batches, by their numbers."""
    alike: dict[torch.Size, list[int]] = {}
    for number, shape in enumerate(shapes):
        alike.setdefault(shape, []).append(number)
    return sorted(
        numbers[start : start + size]
        for numbers in alike.values()
        for start in range(0, len(numbers), size)
    )


def _noise(given: Any, sigma: float | None, within_level: bool, images: Any) -> Degradation | None:
    """The noise model; ``None`` for a set's own noise."""
    if within_level and (sigma is None or given is not None):
        raise InputError(
            f"within_level takes eps off the level of Gaussian noise; sigma is {sigma!r}. Give a "
            "sigma of at least eps, and no other noise."
        )
    if given is not None:
        made = parse_noise(given) if isinstance(given, str) else given
        if not isinstance(made, Degradation):
            raise InputError(
                f"noise is a {type(made).__name__}; expected a word, or a Degradation such as "
                "create_noise gives."
            )
        return made
    if images.noisy is not None:
        if within_level:
            raise InputError(
                f"within_level takes eps off the level of Gaussian noise, and {images.name} has "
                "its own noise; leave it out."
            )
        return None
    if sigma is None:
        raise InputError("sigma is None and there is no noise: give one of them.")
    return Gaussian(sigma)


def _describe_noise(model: Degradation | None, given: Any, sigma: float | None) -> str:
    if model is None:
        return "its own noise"
    if given is None and sigma is not None:
        return f"Gaussian noise of {255 * sigma:g}/255"
    return given if isinstance(given, str) else repr(model)


def _channels(classifier: nn.Module, data: Any) -> int:
    images = getattr(data, "images", None)
    if isinstance(images, Tensor):
        return int(images.shape[1])
    return input_channels(classifier) or 3

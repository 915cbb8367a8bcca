"""The one way to measure: subjects, data and threats in, a `Result` out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress
from torch import nn

from robust_restoration.contracts import Degradation, frozen
from robust_restoration.errors import InputError, cleaned
from robust_restoration.models import precision
from robust_restoration.numbers import check_count
from robust_restoration.processes import Processes

from .classification import Classification
from .engine import Engine
from .restoration import Restoration
from .result import UNATTACKED, Result
from .state import State
from .tasks import Options, Task, is_classifier
from .threats import Threat, listed, parse_threats


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
            (PGD, made on the bare classifier), ``"white-box"`` (an ensemble in AutoAttack's manner,
            made through the purifier), ``"white-box-quick"`` (PGD, likewise, where there is no time
            for that) or ``"black-box"`` (Square, through the purifier). By default, the usual
            attack on denoisers, and gray-box, white-box and black-box on classifiers, all with 40
            steps and 200 queries: in full it is ``"white-box steps=100 n_queries=5000"``. In those
            that go through a purifier, an image misclassified at a strength counts as such at all
            larger ones, since the perturbation is allowed there too.
        eps: Budget of threats without one of their own, one or several, as fractions of [0, 1];
            by default 5/255 for denoisers, and 1, 2, 4 and 8/255 for classifiers.
        sigma: Level of the Gaussian noise, as a fraction of [0, 1], and what denoisers that are not
            blind are conditioned on. ``None`` where they are blind and ``noise`` is given.
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
    subjects = subject if isinstance(subject, Mapping) else {
        name or type(subject).__name__: subject
    }
    title = name or (", ".join(subjects) if isinstance(subject, Mapping) else "")
    Threat(name="eps", eps=eps)  # looks at the budgets
    options = Options(
        purifiers, sigma, noise, within_level, metrics, channels, size, limit, root, tile,
        autocast, seed, title,
    )
    task = _task(subjects, data, options)
    asked = parse_threats(threats, task.role, list(task.subjects))
    engine = Engine(
        task, asked, task.epsilons if eps is None else listed(eps), controls=controls,
        strips=Path(strips) if strips else None,
    )
    processes = Processes()
    settings = {
        "data": task.data.name,
        "data_hash": task.data.fingerprint(),
        "images": len(task.names),
        "metrics": list(task.metrics),
        "controls": controls,
        "seed": seed,
        "autocast": autocast,
        "threats": engine.described(),
    }
    kept = State(state, task, settings, processes)
    columns = 1 + sum(len(strengths) for strengths in engine.strengths.values())
    total = math.ceil(len(task.names) * len(task.subjects) * columns / processes.count)
    computed = False
    # Modes and flags are put back at the end, whatever making purified classifiers does to them.
    with (
        frozen(nn.ModuleList(task.subjects.values())),
        Progress(console=Console(stderr=True), disable=not (progress and processes.main)) as bar,
    ):
        row = bar.add_task("evaluating", total=total)
        for numbers in processes.share(_blocks(task.shapes, batch_size or task.batch)):
            computed |= engine.block(numbers, kept, lambda count: bar.advance(row, count))
    kept.gather(asked)
    if checks and (any(map(any, processes.gather([computed]))) or not kept.notes):
        # What was noted of the file's other threats is not looked at again, and stays.
        others = kept.settings["threats"].keys() - {threat.name for threat in asked}
        stay = [note for note in kept.notes if any(f"{name}: " in note for name in others)]
        kept.notes = stay + processes.from_main(engine.checks() if processes.main else None)
    kept.finish()
    return kept.result().only(
        subjects=list(task.subjects), threats=[UNATTACKED, *(t.name for t in asked)]
    )


def _task(subjects: Mapping[str, nn.Module], data: Any, options: Options) -> Task:
    """What is measured: restorers, or classifiers.

    Raises:
        InputError: If a subject is neither, or they are some of each.
    """
    strange = [module for module in subjects.values() if not isinstance(module, nn.Module)]
    if strange or not subjects:
        raise InputError(
            f"subject is {cleaned(repr(strange[0] if strange else subjects))}; expected a denoiser "
            "or classifier (nn.Module), or a mapping from names to several."
        )
    kinds = {name: is_classifier(module, data, options) for name, module in subjects.items()}
    if len(set(kinds.values())) > 1:
        raise InputError(
            f"{', '.join(n for n, k in kinds.items() if k)} gives logits and "
            f"{', '.join(n for n, k in kinds.items() if not k)} images; evaluate classifiers and "
            "denoisers each on their own."
        )
    kind = Classification if all(kinds.values()) else Restoration
    return kind(subjects, data, options)


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

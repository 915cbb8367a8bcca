"""Weights that are here, with the figures that their model cards tell."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from robust_restoration.errors import WeightsError, one_line
from robust_restoration.models.shipped import known_weights, model_card
from robust_restoration.plugins.registry import registry

KINDS = ("denoisers", "purifiers")


@dataclass
class Model:
    """One file of weights.

    Attributes:
        name: ``ENTRY=TAG``, as commands take it.
        kind: ``denoisers`` or ``purifiers``.
        before: The classifier that a purifier is for; ``*`` for any.
        training: The defense that it was trained by.
        clean: Figures without an attack, in words with their data.
        attacked: Figures under attacks.
        cost: What training it took.
        parameters: How many numbers it has.
        megabytes: Of the file.
        data: What it was trained on.
        problem: Why its card cannot be read, if so.
    """

    name: str
    kind: str
    before: str = ""
    training: str = ""
    clean: str = ""
    attacked: str = ""
    cost: str = ""
    parameters: int = 0
    megabytes: float = 0.0
    data: str = ""
    problem: str = ""


def known_models(pattern: str = "*") -> list[Model]:
    """All weights that are shipped, or that the user keeps, whose name fits a glob pattern."""
    found = []
    for kind in KINDS:
        for entry in registry().list(kind):
            if entry.endswith(":"):  # a family has no weights of its own
                continue
            for tag, path in known_weights(kind, entry).items():
                if fnmatch.fnmatchcase(f"{entry}={tag}", pattern):
                    found.append(_model(kind, entry, tag, path))
    return found


def _model(kind: str, entry: str, tag: str, path: Path) -> Model:
    model = Model(f"{entry}={tag}", kind)
    try:
        model.megabytes = round(path.stat().st_size / 2**20, 2)
        model.parameters = _parameters(path)
        card = model_card(path)
    except (WeightsError, OSError) as error:
        model.problem = one_line(error)
        return model
    training = _mapping(card.get("training"))
    model.before = str(card.get("classifier", ""))
    model.training = str(training.get("defense", ""))
    model.data = str(card.get("data", ""))
    model.clean, model.attacked = _figures(card, entry)
    minutes, steps = card.get("minutes"), training.get("steps")
    parts = [f"{minutes:g} minutes" if isinstance(minutes, int | float) else "",
             f"{steps:,} steps" if isinstance(steps, int) else ""]
    model.cost = ", ".join(filter(None, parts)) or str(card.get("budget", ""))
    return model


def _parameters(path: Path) -> int:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            shapes = [file.get_slice(name).get_shape() for name in file.keys()]
    except SafetensorError as error:
        raise WeightsError(f"{path} is damaged: {one_line(error)}.") from error
    total = 0
    for shape in shapes:
        size = 1
        for side in shape:
            size *= side
        total += size
    return total


def _figures(card: Mapping[str, Any], entry: str) -> tuple[str, str]:
    """The clean and the attacked figures of a card, in the forms that cards have."""
    clean, attacked = [], []
    psnr, numbers = _mapping(card.get("psnr")), _mapping(card.get("numbers"))
    data = psnr.get("test_set")
    levels = {k: v for k, v in psnr.items() if k.startswith("sigma ") and _number(v)}
    if levels:
        some = psnr.get("first_images")
        where = f"{data}, first {some}" if some else str(data)
        said = ", ".join(f"{v:.2f} dB at {k[6:]}" for k, v in levels.items())
        clean.append(f"{where}: {said}")
    attacks = _mapping(card.get("attacked"))  # of a denoiser
    told = [f"{v:.2f} dB under {k}" for k, v in _mapping(attacks.get("psnr")).items() if _number(v)]
    if told:
        same = attacks.get("random_direction")
        if _number(same):
            told.append(f"{same:.2f} dB under a random change of that length")
        first = f", first {attacks['first_images']}" if attacks.get("first_images") else ""
        where = f"{attacks.get('data')}{first}, noise of {attacks.get('noise')}"
        attacked.append(f"{where}: {', '.join(told)}")
    where = str(numbers.get("data", ""))
    for key, row in _mapping(numbers.get("accuracy")).items():
        who, _, rest = key.partition("|")
        attack, _, eps = rest.partition("|")
        share = _mapping(row).get(entry)
        if _number(share):
            images = f" of {row['images']}" if _number(row.get("images")) else ""
            figure = f"{100 * share:.0f} %{images}"
            if attack == "none":
                clean.append(f"{who} {figure}")
            else:
                attacked.append(f"{who}, {attack} {eps}: {figure}")
    share = _mapping(numbers.get("clean")).get("share")
    if _number(share):
        clean.append(f"{where}: {100 * share:.1f} %")
    for eps, attacks in _mapping(numbers.get("attacks")).items():
        shares = [
            _mapping(_mapping(told).get("worst_so_far")).get("share")
            for told in _mapping(attacks).values()
        ]
        worst = [s for s in shares if _number(s)]
        if worst:
            attacked.append(f"white-box {eps}: {100 * min(worst):.1f} %")
    certified = {
        radius: 100 * _mapping(share)["share"]
        for radius, share in _mapping(numbers.get("certified")).items()
        if _number(_mapping(share).get("share"))
    }
    if certified:
        said = ", ".join(f"{share:.1f} % at L2 {radius}" for radius, share in certified.items())
        attacked.append(f"certified: {said}")
    return "; ".join(clean), "; ".join(attacked)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def models_table(found: Sequence[Model]) -> Any:
    """The models for rich."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"{len(found)} files of weights", title_justify="left")
    for name in ("weights", "trained by", "for", "clean", "attacked", "cost"):
        table.add_column(name, overflow="fold")
    for name in ("parameters", "MB"):
        table.add_column(name, justify="right")
    for model in found:
        what = model.problem or model.clean
        words = (model.name, model.training, model.before.replace("*", "any"), what,
                 model.attacked or "not on its card", model.cost)
        table.add_row(
            *(escape(_short(word)) for word in words), f"{model.parameters:,}",
            f"{model.megabytes:.2f}",
        )
    return table


def _short(text: str) -> str:
    """The first four parts of a figure list; all of them stand in ``--json``."""
    parts = text.split("; ")
    return "; ".join(parts[:4]) + (f"; and {len(parts) - 4} more" if len(parts) > 4 else "")

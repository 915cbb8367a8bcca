"""Training by name: from words to weights with a model card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from robust_restoration import verbs
from robust_restoration.contracts import Defense, Denoiser, TrainingSet
from robust_restoration.data import load_images, load_labelled
from robust_restoration.data.labelled import fit
from robust_restoration.errors import InputError, NoLabelsError, UnknownNameError
from robust_restoration.models.classifiers import classifier_name, input_channels
from robust_restoration.models.create import create_defense, create_denoiser, create_purifier
from robust_restoration.models.purify import PurifiedClassifier
from robust_restoration.models.weights import load_weights, read_weights
from robust_restoration.plugins.registry import registry
from robust_restoration.plugins.targets import call, check_names, load_target, options_of
from robust_restoration.processes import accelerator
from robust_restoration.training import CHECKPOINT, Recipe, Settings, train
from robust_restoration.training.recipes import plain

from .model_card import member_of, save_with_card
from .named_recipes import default_steps, load_recipe, suited
from .run_recipe import path_or_name
from .suggested_command import train_command

_DEFAULTS = plain(asdict(Settings(steps=1)))
KINDS = {"denoiser": "denoisers", "purifier": "purifiers", "classifier": "classifiers"}


def train_by_name(
    defense: str = "",
    data: Any = None,
    out: Path | str = "",
    *,
    denoiser: str = "",
    purifier: str = "",
    classifier: str = "",
    recipe: str | Recipe = "",
    network: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    init_weights: str | None = None,
    size: int | None = None,
    channels: int | None = None,
    limit: int | None = None,
    val_fraction: float | None = None,
    progress: bool = True,
    announce: Callable[[str], None] | None = None,
    **settings: Any,
) -> Path:
    """Train a denoiser, a purifier or a classifier, and save its weights with a model card.

    Args:
        defense: The way of training.
        data: A data set's name, a folder, or what the defense takes: images, labelled ones for
            classifiers and for purifiers that are trained for one.
        out: The run's folder; an interrupted run there goes on.
        denoiser: The denoiser that is trained; for a classifier where the defense does that.
        purifier: The purifier that is trained; the default one where the defense needs a classifier
            and none is named.
        classifier: What a purifier or denoiser is trained for, or, where the defense trains both
            (`Defense.together`), with; without one the classifier that is trained itself; as
            `load_classifier` takes it.
        recipe: A recipe's name, or ``recipe.yaml`` of a run, which may say everything but ``out``.
            What is given here comes before it.
        network: Options of what is trained.
        options: Options of the defense.
        init_weights: What it begins from, as `create_denoiser` takes it; untrained by default.
        size: The side that labelled images are brought to.
        channels: 1 for gray, 3 for colour; by default what the network takes.
        limit: Use only the first so many images.
        val_fraction: Share of the images held out for validation; never a test set. 0.05 by
            default.
        progress: Show a progress bar.
        announce: Called with a sentence that says what is trained, with which options.
        **settings: See `robust_restoration.training.Settings`, whose defaults hold as in
            `robust_restoration.train`; ``steps`` may be left out where a recipe has it, the one
            given or the defense's own.

    Returns:
        The weights' file, ``OUT/NAME.safetensors``; those of a classifier that was trained together
        with a purifier stand beside it. ``OUT/recipe.yaml`` trains it again.

    Raises:
        UnknownNameError: If there is no such defense, network or recipe.
        InputError: If an option is not one that the defense or the network takes; before anything
            runs.

    Example:
        >>> train_by_name("mine", "photos/", "runs/mine", denoiser="mine", steps=10_000)
    """
    word = "" if data is not None else None  # images in memory have no name to find them by
    given: dict[str, Any] = {
        "init_weights": path_or_name(init_weights),
        "data": path_or_name(data) if isinstance(data, str | Path) else word,
        "size": size,
        "channels": channels,
        "limit": limit,
        "val_fraction": val_fraction,
    }
    base = load_recipe(recipe) if isinstance(recipe, str) and recipe else recipe or None
    assert not isinstance(base, str)
    words = {"denoiser": denoiser, "purifier": purifier, "classifier": classifier}
    whole = _plan(base, defense, words, network or {}, options or {}, settings)
    whole = replace(whole, **{k: v for k, v in given.items() if v is not None})
    if not out:
        raise InputError("out is empty; expected the run's folder.")
    if announce is not None:
        announce(describe(whole))
    return _train(whole, whole.data if data is None else data, Path(out), progress)


def describe(recipe: Recipe) -> str:
    """One line on what is trained, and with which options."""
    parts = {
        recipe.summary: recipe.defense_options,
        recipe.name: recipe.network,
        "the loop": {k: v for k, v in recipe.settings.items() if k == "steps" or v != _DEFAULTS[k]},
    }
    return "; ".join(
        f"{name}: {', '.join(f'{k}={_word(v)}' for k, v in values.items()) or 'its defaults'}"
        for name, values in parts.items()
    )


def _word(value: Any) -> str:
    if isinstance(value, tuple | list):
        return "(" + ", ".join(map(_word, value)) + ")"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plan(
    base: Recipe | None,
    defense: str,
    words: Mapping[str, str],
    network: Mapping[str, Any],
    options: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> Recipe:
    """Everything that a training needs, checked before anything runs; ``base`` where it is said."""
    if base is not None and not any(words.values()):
        said = {"classifier": base.classifier, base.trains: base.name}
        words = {what: name for what, name in said.items() if name}
    defense = defense or (base.defense if base else "")
    target = _defense(defense, words.get("classifier", ""))
    trains, name, classifier = _what(defense, target, **words)
    # Where no recipe is named, only the number of steps comes from one: the loop, the network and
    # the defense have defaults of their own, the same as in Python.
    base = base or Recipe(settings=default_steps(defense, trains))
    kind = KINDS[trains]
    if (base.name, base.defense) != (name, defense):
        base = suited(base, kind, name, defense)
    whole = replace(
        base,
        trains=trains,
        name=name,
        defense=defense,
        classifier=classifier,
        defense_options={**base.defense_options, **options},
        network={**base.network, **network},
    )
    known = [option for option in options_of(target) if option != "classifier"]
    check_names(defense, whole.defense_options, known)
    if trains == "classifier":
        check_names("load_classifier", whole.network, ["num_classes"])
    else:
        offer, member = registry().find(kind, name)
        if member is None:  # a family passes options on to its member, which checks them
            check_names(name, whole.network, options_of(load_target(offer.entry)))
    merged = {**base.settings, **settings}
    if "steps" not in merged:
        raise InputError(
            "Nothing says how many steps to take: give steps, or a recipe that has them."
        )
    chosen: Settings = call(Settings, "train", (), merged)
    summary = f"{defense} of {name}"
    if classifier:
        summary += f" {'for' if 'classifier' in options_of(target) else 'and'} {classifier}"
    return replace(whole, summary=summary, settings=plain(asdict(chosen)))


def _defense(defense: str, classifier: str) -> Any:
    """A defense's class; where a network's name came in its place, say what was meant."""
    if not defense:
        raise InputError("Nothing says how to train: give a defense, or a recipe of a run.")
    try:
        offer, _ = registry().find("defenses", defense)
    except UnknownNameError as error:
        for kind in ("purifiers", "denoisers"):
            if defense in registry().list(kind):
                command = train_command(kind, defense)
                if classifier:
                    command = command.replace("--classifier NAME", f"--classifier {classifier}")
                raise InputError(
                    f"{defense!r} is not a way of training but a {kind[:-1]}: {command}"
                ) from error
        raise
    return load_target(offer.entry)


def _what(
    defense: str, target: Any, *, denoiser: str = "", purifier: str = "", classifier: str = ""
) -> tuple[str, str, str]:
    """What is trained, its name, and the classifier that it is trained for, or with."""
    for_classifier = "classifier" in options_of(target)
    if for_classifier and getattr(target, "trains", "purifier") == "denoiser" and (
        denoiser or purifier or classifier
    ):
        if not denoiser or not classifier or purifier:
            raise InputError(
                f"{defense!r} trains a denoiser for a classifier: name both (with --denoiser and "
                "--classifier), and no purifier."
            )
        return "denoiser", denoiser, classifier
    if bool(denoiser) == bool(purifier or classifier):
        raise InputError(
            "Say what is trained: either a denoiser, or a purifier, or a classifier (with --"
            "denoiser, --purifier or --classifier)."
        )
    if for_classifier and not classifier:
        raise InputError(
            f"{defense!r} trains a purifier for a classifier: name the classifier, and no denoiser."
        )
    if for_classifier:
        usual = registry().default("purifiers", "classifier").rsplit("/", 1)[-1]
        return "purifier", purifier or usual, classifier
    if purifier and classifier and not getattr(target, "together", False):
        raise InputError(
            f"{defense!r} takes no classifier: leave it out to train the purifier, or leave the "
            "purifier out to train the classifier."
        )
    if purifier:
        return "purifier", purifier, classifier
    return ("denoiser", denoiser, "") if denoiser else ("classifier", classifier, "")


def _train(recipe: Recipe, data: Any, out: Path, progress: bool) -> Path:
    if data is None or (isinstance(data, str) and not data):
        raise InputError("Nothing says what to train on: give data, a name or a folder.")
    device = accelerator().device  # also reads how many processes there are
    bare = verbs.load_classifier(recipe.classifier).to(device) if recipe.classifier else None
    known = options_of(_defense(recipe.defense, ""))
    options = dict(recipe.defense_options)
    if "seed" in known:
        options.setdefault("seed", recipe.settings["seed"])
    if bare is not None:
        if "classifier" in known:
            options["classifier"] = bare
        offer, member = registry().find(KINDS[recipe.trains], recipe.name)
        if member is None and "channels" in options_of(load_target(offer.entry)):
            own = recipe.channels or input_channels(bare) or 3
            recipe = replace(recipe, network={"channels": own, **recipe.network})
    method = create_defense(recipe.defense, **options)
    with torch.random.fork_rng():
        torch.manual_seed(recipe.settings["seed"])
        network = _network(recipe)
    together = bare is not None and "classifier" not in known
    model = PurifiedClassifier(bare, network) if bare is not None and together else network
    images = _images(recipe, data, bare or model, method)
    train(
        model,
        method,
        images,
        out=out,
        val_fraction=recipe.val_fraction,
        progress=progress,
        recipe=recipe,
        **recipe.settings,
    )
    if bare is not None and together:
        _save(replace(recipe, trains="classifier"), bare, None, images, out)
    return _save(recipe, network, bare, images, out)


def _network(recipe: Recipe) -> nn.Module:
    """What is trained, before it is."""
    if recipe.trains == "classifier":
        model = verbs.load_classifier(recipe.name, **recipe.network)
        if recipe.init_weights:
            load_weights(model, recipe.init_weights)
        return model
    create = create_denoiser if recipe.trains == "denoiser" else create_purifier
    return create(recipe.name, weights=recipe.init_weights, **recipe.network)


def _images(recipe: Recipe, data: Any, model: nn.Module, defense: Defense) -> Any:
    """The data, as the defense prepares them from: labelled where a classifier takes part."""
    if isinstance(data, TrainingSet):
        return data
    if recipe.classifier or recipe.trains == "classifier":
        channels = recipe.channels or input_channels(model) or 3
        try:
            return load_labelled(data, size=recipe.size, channels=channels, limit=recipe.limit)
        except NoLabelsError:
            if defense.needs_labels:
                raise
        images = load_images(data, channels=channels, limit=recipe.limit)
        if recipe.size is None:
            return images
        squares = [fit(images.image(i), recipe.size, channels) for i in range(len(images))]
        return torch.stack(squares)
    if recipe.size is not None:
        raise InputError("size is for labelled images; leave it out to train on squares of images.")
    own = model.channels if isinstance(model, Denoiser) else None
    return load_images(data, channels=recipe.channels or own, limit=recipe.limit)


def _save(
    recipe: Recipe, model: nn.Module, bare: nn.Module | None, images: Any, out: Path
) -> Path:
    """``OUT/NAME.safetensors``, and the card that says how it was trained."""
    kind, name = KINDS[recipe.trains], recipe.name
    if kind == "classifiers":
        name = classifier_name(model)
    else:
        model, kind, name = member_of(model, kind, name)
    path = out / f"{name.rsplit('/', 1)[-1]}.safetensors"
    if accelerator().is_main_process:
        _, header = read_weights(out / CHECKPOINT)
        damaged = getattr(images, "damaged", ())
        facts: dict[str, Any] = {} if bare is None else {"classifier": classifier_name(bare)}
        if hasattr(images, "images"):
            facts["input_size"] = min(images.images.shape[-2:])
        facts["data"] = (
            f"{getattr(images, 'name', 'samples')}: {len(images)} images, {len(damaged)} damaged "
            "ones skipped"
        )
        save_with_card(model, path, recipe, header, kind=kind, name=name, **facts)
    accelerator().wait_for_everyone()
    return path

"""From a run's folder to one file of weights with its model card, and to the hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import nn

from robust_restoration.errors import DataError, InputError, WeightsError, one_line, what_is_wrong
from robust_restoration.files import read_text
from robust_restoration.models.create import create_denoiser, create_purifier
from robust_restoration.models.weights import read_weights
from robust_restoration.training import CHECKPOINT
from robust_restoration.training.recipes import FILE
from robust_restoration.training.run_folder import HISTORY, part_of

from .model_card import member_of, save_with_card
from .recipe_file import read_recipe


def pack_run(run: Path | str, out: Path | str | None = None, *, half: bool = True) -> Path:
    """Write the weights of a run's last checkpoint, and their model card beside them.

    Args:
        run: A training's folder; the run may still go on.
        out: The file to write; ``RUN/packed/model.safetensors`` by default.
        half: Store floating-point tensors as float16.

    Returns:
        The file.

    Raises:
        InputError: If the folder holds no run, or its network was not created by name.
        WeightsError: If its checkpoint is damaged.
    """
    folder = Path(run)
    if not (folder / CHECKPOINT).is_file():
        raise InputError(
            f"{folder} holds no run: {CHECKPOINT} is expected, which a training writes there."
        )
    recipe = read_recipe(folder / FILE)
    tensors, metadata = read_weights(folder / CHECKPOINT)
    # The moving average is what was validated, where there is one.
    state = part_of(tensors, "average") or part_of(tensors, "model")
    if recipe.trains not in ("denoiser", "purifier"):
        what = f"a {recipe.trains}" if recipe.trains else "a network that was not created by name"
        raise InputError(
            f"The run in {folder} trained {what}, and what can be packed is made with "
            "create_denoiser or create_purifier. Save others from Python: "
            "robust_restoration.models.weights.save_weights."
        )
    kind, name = f"{recipe.trains}s", recipe.name
    create = create_denoiser if recipe.trains == "denoiser" else create_purifier
    model: nn.Module = create(name, **recipe.network)
    if recipe.classifier:  # the purifier was perhaps trained as one with the classifier behind it
        state = part_of(state, "purifier") or state
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{folder / CHECKPOINT} does not fit {name!r}: {error}") from error
    model, kind, name = member_of(model, kind, name)
    path = Path(out) if out else folder / "packed/model.safetensors"
    save_with_card(
        model,
        path,
        recipe,
        metadata,
        kind=kind,
        name=name,
        half=half,
        data=recipe.data or "made in Python",
        steps_done=int(metadata["step"]),
        validation=_last_row(folder / HISTORY),
    )
    return path


def _last_row(history: Path) -> list[Any]:
    """The last validation's figures, in a list; an empty one where a run has none."""
    if not history.exists():
        return []
    try:
        rows = json.loads(read_text(history))
        return [dict(row) for row in rows[-1:]]
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DataError(
            f"{history} is damaged ({what_is_wrong(error)}); remove it to pack the weights without "
            "its figures."
        ) from error


def push_run(run: Path | str, repository: str, *, half: bool = True, private: bool = False) -> str:
    """Pack a run and upload it to the hub, where ``weights="user/name"`` finds it.

    Args:
        run: As `pack_run` takes it.
        repository: ``user/name``; made if it is not there.
        half: As in `pack_run`.
        private: Make the repository private.

    Returns:
        The repository's address.

    Raises:
        InputError: If the repository's name is not user/name.
        WeightsError: If the hub refuses; says why.
    """
    if repository.count("/") != 1:
        raise InputError(f"{repository!r} is not a hub repository; expected user/name.")
    from huggingface_hub import HfApi

    path = pack_run(run, half=half)
    try:
        api = HfApi()
        api.create_repo(repository, private=private, exist_ok=True)
        for file in (path, path.with_suffix(".json")):
            name = "model" + file.suffix
            api.upload_file(path_or_fileobj=file, path_in_repo=name, repo_id=repository)
    except Exception as error:  # the hub raises many kinds
        said = one_line(error)
        raise WeightsError(f"{path} could not be uploaded to {repository!r}: {said}") from error
    return f"https://huggingface.co/{repository}"

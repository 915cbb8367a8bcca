"""From a run's folder to one file of weights with its model card, and to the hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from robust_restoration.environment import environment
from robust_restoration.errors import InputError, WeightsError
from robust_restoration.models.create import create_denoiser, create_purifier
from robust_restoration.models.weights import read_weights, save_weights

from . import CHECKPOINT, minutes_trained


def pack_run(run: Path | str, out: Path | str | None = None, *, half: bool = True) -> Path:
    """Write the weights of a run's last checkpoint, and their model card beside them.

    Args:
        run: A folder that `train_denoiser` or `train_purifier` wrote; the run may still go on.
        out: The file to write; ``RUN/packed/model.safetensors`` by default.
        half: Store floating-point tensors as float16.

    Returns:
        The file.

    Raises:
        InputError: If the folder holds no run of these.
        WeightsError: If its checkpoint is damaged.
    """
    run = Path(run)
    record, checkpoint = run / "settings.json", run / CHECKPOINT
    if not record.is_file() or not checkpoint.is_file():
        raise InputError(
            f"{run} holds no run: {CHECKPOINT} and settings.json are expected, which "
            "robust-restoration train writes there."
        )
    settings = json.loads(record.read_text(encoding="utf-8"))
    notes = settings.get("notes", {})
    tensors, metadata = read_weights(checkpoint)
    # The moving average is what was validated, where there is one.
    part = "average." if any(k.startswith("average.") for k in tensors) else "model."
    state = {k[len(part) :]: v for k, v in tensors.items() if k.startswith(part)}
    kind = "denoisers" if "denoiser" in notes else "purifiers"
    name = notes.get(kind[:-1])
    if name is None:
        raise InputError(f"{record} does not say which network was trained.")
    model: Any
    if kind == "denoisers":
        model = create_denoiser(name, **notes.get("denoiser_options", {}))
    else:
        model = create_purifier(name, **notes.get("purifier_options", {}))
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{checkpoint} does not fit {name!r}: {error}") from error
    history = run / "history.json"
    card = {
        "entry": name,
        "options": getattr(model, "options", {}),
        "data": f"{notes.get('data')}: {notes.get('images')} images",
        "training": settings,
        "steps_done": int(metadata["step"]),
        "minutes": minutes_trained(metadata),
        "validation": json.loads(history.read_text())[-1:] if history.is_file() else [],
        "environment": environment(),
    }
    path = Path(out) if out else run / "packed/model.safetensors"
    save_weights(model, path, kind=kind, name=name, card=card, half=half)
    return path


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
        InputError: If the repository's name is none.
        WeightsError: If the hub refuses; says why.
    """
    if repository.count("/") != 1:
        raise InputError(f"{repository!r} is no hub repository; expected user/name.")
    from huggingface_hub import HfApi

    path = pack_run(run, half=half)
    try:
        api = HfApi()
        api.create_repo(repository, private=private, exist_ok=True)
        for file in (path, path.with_suffix(".json")):
            name = "model" + file.suffix
            api.upload_file(path_or_fileobj=file, path_in_repo=name, repo_id=repository)
    except Exception as error:  # the hub raises many kinds
        first = str(error).strip().splitlines()[0]
        raise WeightsError(f"{path} could not be uploaded to {repository!r}: {first}") from error
    return f"https://huggingface.co/{repository}"

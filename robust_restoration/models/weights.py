"""Weights: safetensors files that say what they are for; shipped, local, or from the hub.

Nothing is ever unpickled. A file's header names the entry it belongs to and the options it was
built with, so that the file alone makes the right network. Beside a shipped file stands its model
card, JSON of the same name: data, recipe, budget, machine, numbers.
"""

from __future__ import annotations

import importlib.util
import json
import warnings
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from robust_restoration.errors import InputError, WeightsError, did_you_mean
from robust_restoration.files import atomic_path, write_json
from robust_restoration.plugins.registry import registry

FORMAT = "robust_restoration"


class WeightsWarning(UserWarning):
    """The weights in use were not made for this classifier."""


def read_weights(path: Path | str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a safetensors file.

    Args:
        path: The file.

    Returns:
        Its tensors by name, and its header's metadata.

    Raises:
        WeightsError: If it is missing, truncated, or of another format; pickles are refused.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"There is no file of weights {path}.")
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
            return tensors, file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        with path.open("rb") as raw:
            head = raw.read(4)
        if head[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04"):
            raise WeightsError(
                f"{path} is a pickled checkpoint, which is never loaded here since it could run "
                "any code; convert it once with safetensors.torch.save_file."
            ) from error
        raise WeightsError(
            f"{path} is truncated, damaged or no safetensors file ({error}); "
            "get it again from where it came."
        ) from error


def load_weights(module: nn.Module, path: Path | str) -> dict[str, str]:
    """Load weights into a module, all or nothing.

    Args:
        module: Where they go, in the module's own dtype and device. What it names in
            ``optional_parts`` may be missing in the file, and then stays as it is, or in the
            module.
        path: A safetensors file.

    Returns:
        The file's metadata.

    Raises:
        WeightsError: If the file cannot be read, or is for another architecture.
    """
    tensors, metadata = read_weights(path)
    expected = module.state_dict()
    for part in getattr(module, "optional_parts", ()):
        own = {k: v for k, v in expected.items() if k.startswith(f"{part}.")}
        read = {name for name in tensors if name.startswith(f"{part}.")}
        if not read:
            tensors = {**tensors, **own}
        elif not own:
            tensors = {k: v for k, v in tensors.items() if k not in read}
    missing = sorted(expected.keys() - tensors.keys())
    foreign = sorted(tensors.keys() - expected.keys())
    shapes = [
        f"{name} is {tuple(tensors[name].shape)}, expected {tuple(expected[name].shape)}"
        for name in sorted(expected.keys() & tensors.keys())
        if tensors[name].shape != expected[name].shape
    ]
    faults = []
    if missing:
        faults.append(f"{len(missing)} tensors are missing, such as {missing[0]}")
    if foreign:
        faults.append(f"{len(foreign)} are not of it, such as {foreign[0]}")
    if shapes:
        faults.append(f"{len(shapes)} have another shape ({shapes[0]})")
    if faults:
        made_for = metadata.get("entry")
        hint = f" The file says that it is for {made_for!r}." if made_for else ""
        raise WeightsError(
            f"{path} does not fit {type(module).__name__}: {'; '.join(faults)}.{hint}"
        )
    module.load_state_dict(tensors)
    return metadata


def save_weights(
    module: nn.Module,
    path: Path | str,
    *,
    kind: str,
    name: str,
    card: dict[str, Any] | None = None,
    half: bool = False,
) -> None:
    """Save weights so that `create_purifier` and its like can use the file by itself.

    Args:
        module: What to save; its ``options`` attribute, if any, is kept with it.
        path: The safetensors file to write.
        kind: ``"purifiers"`` or ``"denoisers"``.
        name: The entry's name.
        card: The model card, written as JSON beside the file.
        half: Store floating-point tensors as float16.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise InputError(f"Weights are written as .safetensors; got {path.name!r}.")
    tensors = {}
    for key, tensor in module.state_dict().items():
        kept = tensor.detach().cpu().contiguous()
        tensors[key] = kept.half() if half and kept.is_floating_point() else kept.clone()
    options = getattr(module, "options", {})
    metadata = {"format": FORMAT, "kind": kind, "entry": name, "options": json.dumps(options)}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata)
    if card is not None:
        write_json(path.with_suffix(".json"), card)


def shipped(kind: str, name: str) -> dict[str, Path]:
    """The weights that an entry's package ships, by tag.

    They stand in the package's folder ``weights`` as ``<entry>.<tag>.safetensors``.
    """
    offer, _ = registry().find(kind, name)
    package = offer.entry.target.split(":")[0].split(".")[0]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return {}
    folder = Path(spec.origin).parent / "weights"
    prefix = f"{offer.entry.name}."
    return {
        file.name[len(prefix) : -len(".safetensors")]: file
        for file in sorted(folder.glob(f"{prefix}*.safetensors"))
    }


def model_card(path: Path | str) -> dict[str, Any]:
    """The model card beside a file of weights; empty if there is none."""
    card = Path(path).with_suffix(".json")
    if not card.is_file():
        return {}
    return json.loads(card.read_text(encoding="utf-8"))


def find_weights(kind: str, name: str, weights: str) -> Path:
    """The file that a word for weights stands for.

    Args:
        kind: ``"purifiers"`` or ``"denoisers"``.
        name: The entry's name.
        weights: A tag of shipped weights, a file, or a hub repository ``user/repo`` that holds
            ``model.safetensors``.

    Raises:
        WeightsError: If it is none of these; lists the tags there are.
    """
    tags = shipped(kind, name)
    if weights in tags:
        return tags[weights]
    path = Path(weights)
    if path.is_file() or path.suffix or path.is_absolute():
        return path
    if weights.count("/") == 1:
        from huggingface_hub import hf_hub_download

        try:
            return Path(hf_hub_download(weights, "model.safetensors"))
        except Exception as error:  # the hub raises many kinds
            first = str(error).strip().splitlines()[0]
            raise WeightsError(
                f"model.safetensors of the hub repository {weights!r} could not be had: {first}"
            ) from error
    raise WeightsError(
        f"{name!r} has no weights {weights!r}. {did_you_mean(weights, sorted(tags))} A file or a "
        "hub repository user/repo works too."
    )


def weights_for(kind: str, name: str, classifier: str, size: int | None) -> str:
    """The tag of the shipped weights that suit a classifier best.

    Those made for it; else those made for any (``"classifier": "any"`` in their card), and else,
    with a warning, those made for another; of several, those for images of the nearest size.

    Args:
        kind: ``"purifiers"``.
        name: The entry's name.
        classifier: The classifier's name, as `classifiers.classifier_name` gives it.
        size: The side of the images, in pixels.

    Raises:
        WeightsError: If the entry ships none.
    """
    tags = shipped(kind, name)
    bare = classifier.split(".")[0]
    for tag in (classifier, bare):
        if tag in tags:
            return tag
    if not tags and ":" in name:
        raise WeightsError(f"{name!r} comes without weights. Give weights=FILE.")
    if not tags:
        raise WeightsError(
            f"{name!r} comes without weights. Give weights=FILE, or train it for your classifier: "
            f"robust-restoration train {name} --classifier NAME --data FOLDER"
        )
    cards = {tag: model_card(path) for tag, path in tags.items()}
    general = {tag: card for tag, card in cards.items() if card.get("classifier") == "any"}
    sizes = {tag: int(card.get("input_size", 224)) for tag, card in (general or cards).items()}
    nearest = min(sizes, key=lambda tag: abs(sizes[tag] - (size or 224)))
    if general:
        return nearest
    warnings.warn(
        f"No {name!r} weights were trained for {classifier!r}; using those for {nearest!r} "
        f"({sizes[nearest]} pixels), which protect it less. To train your own: "
        f"robust-restoration train {name} --classifier NAME --data FOLDER",
        WeightsWarning,
        stacklevel=3,
    )
    return nearest


def create_with_weights(kind: str, name: str, weights: str, options: dict[str, Any]) -> nn.Module:
    """Create an entry with weights, built with the options the weights were saved with.

    Raises:
        WeightsError: If the weights are for another entry, or do not fit the options given.
    """
    _, member = registry().find(kind, name)
    if member is not None:  # of a family, such as denoiser:NAME: the weights are the member's
        made: nn.Module = registry().create(kind, name, weights=weights, **options)
        return made.eval()
    path = find_weights(kind, name, weights)
    _, metadata = read_weights(path)
    made_for = metadata.get("entry")
    if made_for is not None and made_for != name.rsplit("/", 1)[-1]:
        raise WeightsError(f"{path} holds weights for {made_for!r}, not for {name!r}.")
    saved = json.loads(metadata.get("options", "{}"))
    module: nn.Module = registry().create(kind, name, **{**saved, **options})
    load_weights(module, path)
    return module.eval()


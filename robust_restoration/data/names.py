"""What a user's word for a data set means: a path, or the name of what a plugin offers.

A data set that a plugin offers is a function ``(root, *, split=None, limit=None)`` that returns
`RestorationImages`, `LabelledImages`, or the path of a folder or file; it may take fewer arguments.
Where it has them, these further attributes are used; their module loads no torch:

- ``facts(root)``: for the command ``datasets``, a dict for each part of it, there or not: ``name``,
  ``kind``, ``summary``, and as far as they are known ``aliases``, ``channels``, ``found``,
  ``expected``, ``size`` (bytes), ``terms``, ``source``, ``folder``, ``problem``;
- ``places``: names of folders under the data root that belong to it;
- ``recognise(path, split, limit)``: `LabelledImages` of a folder or a file that a user gave by its
  path, or a list of (file, label from 0) to be read, or ``None`` where that is not of its kind.

Nothing here loads torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robust_restoration.errors import (
    DataError,
    InputError,
    PluginError,
    UnknownNameError,
    did_you_mean,
)
from robust_restoration.plugins.registry import Offer, registry
from robust_restoration.plugins.targets import load_target

from .folders import data_root, inside


@dataclass(frozen=True)
class Meaning:
    """What a word means: a path, or a name that a plugin offers; with a split or without."""

    path: Path | None = None
    name: str = ""
    split: str | None = None


def understand(word: Path | str, root: Path | str | None = None) -> Meaning:
    """Tell what a word means.

    An existing file or folder comes first, then what plugins offer, then any folder directly under
    the data root. In names, letter case, dashes and underscores do not matter: SET-10 is set10.

    Raises:
        DataError: If it looks like a path and does not exist.
        UnknownNameError: If it is not a known name; names the nearest.
    """
    path, text = Path(word).expanduser(), str(word)
    if text.strip() and path.exists():
        return Meaning(path=path)
    offered = _offered(text)
    if offered:
        return offered
    name, _, split = text.partition(":")
    below = inside(data_root(root), name) if name and name == Path(name).name else None
    if below:
        return Meaning(path=below, split=split or None)
    if path.name != text or path.suffix:
        raise DataError(f"There is no data at {path}.")
    choices = [*registry().list("datasets"), *other_folders(root)]
    raise UnknownNameError(
        f"There is no data set and no folder {text!r}. {did_you_mean(text.lower(), choices)}"
    )


def load_offered(
    name: str, root: Path | str | None, split: str | None = None, limit: int | None = None
) -> Any:
    """What a plugin's data set gives.

    Args:
        name: Of the data set.
        root: Where data sets lie.
        split: Passed on where it takes one.
        limit: Passed on where it takes one; others give all they have.

    Raises:
        InputError: If a split is asked for, and it takes none.
    """
    known = registry()
    options = known.accepted("datasets", name, {"split": split, "limit": limit})
    if split and "split" not in options:
        raise InputError(f"{name} has no split {split!r}. It has no splits.")
    return known.create("datasets", name, data_root(root), **options)


def offered_sets() -> list[tuple[Offer, Any]]:
    """What plugins offer, with what each entry points to; ``None`` where that does not import."""
    found: list[tuple[Offer, Any]] = []
    for offer in registry().offers["datasets"]:
        try:
            found.append((offer, load_target(offer.entry)))
        except PluginError:
            found.append((offer, None))
    return found


def other_folders(root: Path | str | None = None) -> list[str]:
    """Names of the folders directly under the data root that belong to no offered data set."""
    base = data_root(root)
    if not base.is_dir():
        return []
    places = [getattr(target, "places", ()) for _, target in offered_sets()]
    known = {place.lower() for each in places for place in each}
    return sorted(
        p.name
        for p in base.iterdir()
        if p.is_dir() and p.name.lower() not in known and not p.name.startswith(".")
    )


def _offered(text: str) -> Meaning | None:
    """The name under which a plugin offers what the text asks for."""
    known = registry()
    exact = {n for o in known.offers["datasets"] for n in (o.entry.name, o.qualified)}
    plain = {_plain(name): name for name in exact}

    def find(name: str) -> str | None:
        return name if name in exact else plain.get(_plain(name))

    whole = find(text)
    if whole:
        return Meaning(name=whole)
    name, colon, rest = text.partition(":")
    family = find(f"{name}:") if colon and rest else None
    if family:
        return Meaning(name=family + rest)
    one = find(name)
    if one:
        return Meaning(name=one, split=rest or None)
    idle = {p.name for p in known.plugins if p.status in ("broken", "disabled")}
    if "/" in text and text.partition("/")[0] in idle:
        return Meaning(name=text)  # the registry says why it is not in use
    return None


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")

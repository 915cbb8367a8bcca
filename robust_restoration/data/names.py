"""What a user's word for a data set means: a path, a named set, or a plugin's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from robust_restoration.errors import DataError, UnknownNameError, did_you_mean

from .locate import PARENTS, data_root, inside
from .named import NAMED, NamedSet, find_named


@dataclass(frozen=True)
class Expected:
    """What a user's word means: a path, a named set (with split), or a plugin's data set."""

    path: Path | None = None
    named: NamedSet | None = None
    split: str | None = None
    plugin: str | None = None


def understand(word: Path | str, root: Path | str | None = None) -> Expected:
    """Tell what a word means.

    An existing file or folder comes first, then the named sets, then what plugins offer, then
    any folder directly under the data root.

    Raises:
        DataError: If it looks like a path and does not exist.
        UnknownNameError: If it is no known name; names the nearest.
    """
    path, text = Path(word).expanduser(), str(word)
    if text.strip() and path.exists():
        return Expected(path=path)
    name, _, split = text.partition(":")
    named = find_named(name)
    if named:
        return Expected(named=named, split=split or None)
    plugin = _offered(text)
    if plugin:
        return Expected(plugin=plugin)
    below = inside(data_root(root), name) if name and name == Path(name).name else None
    if below:
        return Expected(path=below, split=split or None)
    if path.name != text or path.suffix:
        raise DataError(f"There is no data at {path}.")
    choices = [*(n for s in NAMED for n in s.names), *plugin_names(), *folders_under(root)]
    raise UnknownNameError(
        f"There is no data set and no folder {text!r}. {did_you_mean(text.lower(), choices)}"
    )


def folders_under(root: Path | str | None = None) -> list[str]:
    """Names of the folders directly under the data root that belong to no named set."""
    base = data_root(root)
    if not base.is_dir():
        return []
    known = {f.split("/")[0].lower() for s in NAMED for f in s.folders} | set(PARENTS)
    return sorted(
        p.name
        for p in base.iterdir()
        if p.is_dir() and p.name.lower() not in known and not p.name.startswith(".")
    )


def plugin_names() -> list[str]:
    """Names of the data sets that plugins offer."""
    from robust_restoration.plugins.registry import registry

    return registry().list("datasets")


def _offered(text: str) -> str | None:
    """The name under which a plugin offers what the text asks for, in any letter case."""
    from robust_restoration.plugins.registry import registry

    known = registry()
    names = {n: n for o in known.offers["datasets"] for n in (o.entry.name, o.qualified)}
    lower = {n.lower(): n for n in names}
    if text in names or text.lower() in lower:
        return names.get(text) or lower[text.lower()]
    family, colon, argument = text.partition(":")
    if colon and argument and family.lower() + ":" in lower:
        return lower[family.lower() + ":"] + argument
    idle = {p.name for p in known.plugins if p.status in ("broken", "disabled")}
    return text if text.partition("/")[0] in idle and "/" in text else None

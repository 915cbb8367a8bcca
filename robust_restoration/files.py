"""Writing files so that a kill or a full disk leaves either the old file or the new one."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import InputError


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its name when the block ends well.

    Args:
        path: Where the file shall stand; its folder is made. Where a link stands, the file that
            it leads to is written.

    Yields:
        The path to write to. If the block raises, that file is removed and ``path`` is untouched.

    Raises:
        InputError: If something other than a plain file stands there, such as a pipe or a device.
    """
    path = Path(os.path.realpath(path))
    if path.is_symlink():  # what is left of links that lead to each other
        raise InputError(f"{path} is a link that leads back to itself; expected a plain file.")
    if path.exists() and not path.is_file():
        raise InputError(
            f"{path} is {'a folder' if path.is_dir() else 'a pipe or a device'}; expected a plain "
            "file, or nothing yet."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    short = path.stem[:20]  # a long name would be too long with what is added to it
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{short}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp's own mode is private
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def check_folder(path: Path | str) -> None:
    """Make a folder, and see that it takes files: before the work whose results go there.

    Raises:
        InputError: If a file is in its place, or it cannot be made, or takes none.
    """
    part = next(part for part in (Path(path), *Path(path).parents) if part.exists())
    if not part.is_dir():
        raise InputError(
            f"Results cannot go into {path}: {part} is a file; give a folder, new or old."
        )
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path, prefix=".check-"):  # without a name, where that goes
            pass
    except OSError as error:
        raise InputError(
            f"Results cannot go into {path} ({error.strerror}); give a folder on a disk with room "
            "that you may write to."
        ) from error


def read_text(path: Path | str) -> str:
    """The text of a plain file, in UTF-8; a pipe, which may never end, is not read.

    Raises:
        OSError: If there is none that can be read.
        ValueError: If it is no UTF-8.
    """
    if Path(path).exists() and not Path(path).is_file():
        raise OSError(f"{path} is no plain file")
    return Path(path).read_text(encoding="utf-8")


def json_text(content: Any) -> str:
    """JSON, indented, with a final newline; readable, where all of it can be encoded."""
    text = json.dumps(content, indent=2, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # names of files in another encoding hold halves of characters
        text = json.dumps(content, indent=2)
    return text + "\n"


def write_json(path: Path | str, content: Any) -> None:
    """Write JSON atomically, indented, with a final newline."""
    text = json_text(content)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_figure(figure: Any, path: Path | str | None) -> Any:
    """Write a matplotlib figure as a picture, atomically, and give its axes to draw on further.

    Args:
        figure: The figure.
        path: A PNG, PDF or SVG file; ``None`` writes nothing.

    Returns:
        The axes, or an array of them where there are several, as ``matplotlib.pyplot.subplots``
        gives them; ``axes.figure`` is the whole.
    """
    if path is not None:
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=130)
    if len(figure.axes) == 1:
        return figure.axes[0]
    import numpy as np

    return np.array(figure.axes, dtype=object)


def cache_folder() -> Path:
    """Where what can be made again is kept: ``$ROBUST_RESTORATION_CACHE`` or the user's cache."""
    chosen = os.environ.get("ROBUST_RESTORATION_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "robust_restoration"

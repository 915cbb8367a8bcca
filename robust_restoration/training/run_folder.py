"""A run's folder: locked while the run goes on, and each file in it replaced whole."""

from __future__ import annotations

import errno
import json
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from robust_restoration.errors import InputError, TrainingError, WeightsError, what_is_wrong
from robust_restoration.files import check_folder, read_text, write_json
from robust_restoration.models.weights import read_weights, write_weights

try:
    import fcntl
except ImportError:  # Windows, where a folder goes without a lock
    fcntl = None  # type: ignore[assignment]

CHECKPOINT, SETTINGS, HISTORY = "checkpoint.safetensors", "settings.json", "history.json"
FREE = ("save_every",)  # may change while a run goes on
UNKNOWN = object()
# What `atomic_path` and `check_folder` name files that are not whole yet, and safetensors, which
# since 0.8 writes beside the file that it is told, too.
HALF_WRITTEN = re.compile(
    r"\..{1,20}-\w{8}\.(safetensors|json|csv|png|yaml)|\.check-\w{8}|\.tmp\w{6}"
)


class RunFolder:
    """Where a run keeps what it needs to go on, and what people read of it.

    Args:
        path: The folder; it is made.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        check_folder(self.path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out of the folder.

        The lock is the system's, on the folder itself: it ends with the process, however that
        ends, and leaves no file that a later run would have to judge.

        Raises:
            InputError: If another run is in it.
        """
        if fcntl is None:
            yield
            return
        handle = os.open(self.path, os.O_RDONLY)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                    raise InputError(
                        f"Another run is training in {self.path}; wait for it, or choose another "
                        "folder."
                    ) from None
                warnings.warn(  # some network file systems have no locks
                    f"{self.path} cannot be locked ({error}); let no other run use it meanwhile.",
                    stacklevel=3,
                )
            self._clean()
            yield
        finally:
            os.close(handle)

    def _clean(self) -> None:
        """Remove what a killed process left half written, by the names it gives such files."""
        for left in self.path.glob(".*"):
            if HALF_WRITTEN.fullmatch(left.name) and left.is_file():
                left.unlink(missing_ok=True)

    def begun(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return (self.path / CHECKPOINT).exists()

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Write down a new run's settings."""
        write_json(self.path / SETTINGS, settings)

    def save(self, tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> None:
        """Replace the checkpoint.

        Raises:
            TrainingError: If it cannot be written.
        """
        try:
            write_weights(self.path / CHECKPOINT, tensors, header)
        except OSError as error:
            raise TrainingError(
                f"{what_is_wrong(error)}. The earlier checkpoint in {self.path}, if there is one, "
                "stands; free some space and run the same command again."
            ) from error

    def load(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        """The checkpoint's tensors and header.

        Raises:
            TrainingError: If it is damaged.
        """
        path = self.path / CHECKPOINT
        try:
            tensors, header = read_weights(path)
            int(header["step"]), json.loads(header["settings"])
        except (WeightsError, KeyError, ValueError) as error:
            said = what_is_wrong(error.__cause__ or error)
            raise TrainingError(f"{path} is damaged ({said}); remove it to begin anew.") from error
        return tensors, header

    def history(self, step: int) -> list[dict[str, Any]]:
        """The rows of earlier validations, without those of steps after the checkpoint's."""
        path = self.path / HISTORY
        try:
            rows = json.loads(read_text(path))
            return [row for row in rows if row["step"] <= step]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            set_aside(path, error)
            return []

    def write_history(self, rows: list[dict[str, Any]]) -> None:
        """Replace the history."""
        write_json(self.path / HISTORY, rows)

    def check(
        self,
        before: Mapping[str, Any],
        now: Mapping[str, Any],
        usual: Mapping[str, Any],
    ) -> None:
        """Refuse to go on with other settings than a run was begun with.

        Args:
            before: What the run was begun with; a run may be older than a setting.
            now: What is given now.
            usual: The defaults.

        Raises:
            InputError: With what differs.
        """
        before = {**usual, **before}
        changed = [k for k in now if now[k] != before.get(k, UNKNOWN) and k not in FREE]
        if changed:
            raise InputError(
                f"The run in {self.path} was begun with "
                + ", ".join(f"{k}={before.get(k)!r}" for k in changed)
                + "; now it is "
                + ", ".join(f"{k}={now[k]!r}" for k in changed)
                + ". Use the same settings, or another folder."
            )

    def check_identity(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """Refuse to go on with another network, training or other images.

        Args:
            before: As `identity` gave it when the run began.
            now: As it gives it now.

        Raises:
            InputError: With what differs.
        """
        for key in ("data", "validation"):
            if key in before and before[key] != now.get(key):
                what = "training" if key == "data" else "validation"
                raise InputError(
                    f"The {what} data are not those that the run in {self.path} was begun with: "
                    f"it had {before[key]}, now there are {now.get(key)}. Put the same images "
                    "there, or choose another folder."
                )
        self.check(before, {k: v for k, v in now.items() if k in before}, {})


def minutes_trained(header: Mapping[str, str]) -> float:
    """How long a run has trained, over all sittings, by its checkpoint's header."""
    return round(float(header.get("seconds", 0)) / 60, 1)


def part_of(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """Of a checkpoint's tensors those of ``"model"``, ``"average"`` or ``"optimizer"``."""
    head = f"{part}."
    return {name[len(head) :]: tensor for name, tensor in tensors.items() if name.startswith(head)}


def set_aside(path: Path, error: Exception) -> None:
    """Rename a damaged file that a run can do without, and say so."""
    aside = path.with_name(path.name + ".damaged")
    path.replace(aside)
    warnings.warn(
        f"{path} is damaged ({what_is_wrong(error)}); it was renamed to {aside.name}, and "
        "the run goes on without its rows.",
        stacklevel=3,
    )

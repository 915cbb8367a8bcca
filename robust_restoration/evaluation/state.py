"""What was computed already, in a file, so that a stopped evaluation goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from robust_restoration.errors import InputError

from .controls import CONTROLS
from .processes import Processes
from .result import UNATTACKED, Record, Result

PAUSE = 10.0  # seconds at least between two writes of the file


class State:
    """Records of an evaluation; with a path, kept in the result's own file.

    Of several processes each keeps what it computed in a part beside it until all is gathered.

    Args:
        path: The file, or ``None``.
        settings: What must be the same for records to be taken from the file.
        weights: Subject to the hash of its weights. Records of a purifier with others are computed
            anew; other subjects must be the same.
        names: The images' names, in order.
        replaceable: Whether the subjects are purifiers.
        processes: Who writes which part.

    Raises:
        InputError: If the file was computed with other settings, data or weights.
    """

    def __init__(
        self,
        path: Path | None,
        settings: dict[str, Any],
        weights: dict[str, str],
        *,
        names: Sequence[str],
        replaceable: bool,
        processes: Processes,
    ) -> None:
        self.path, self.settings, self.processes = path, settings, processes
        self.weights, self.notes = dict(weights), list[str]()
        self.places = {name: number for number, name in enumerate(names)}
        self.records: list[Record] = []
        self.done: set[tuple[str, str, str]] = set()
        self.written = time.monotonic()
        if path is None:
            return
        for file in (path, *sorted(path.parent.glob(f"{path.stem}.part*{path.suffix}"))):
            if file.exists():
                self._read(file, replaceable)
        processes.wait()  # before any process writes

    def _read(self, file: Path, replaceable: bool) -> None:
        found = Result.from_json(file)
        for key, value in self.settings.items():
            old = found.settings.get(key)
            if key == "threats":
                changed = [n for n, t in value.items() if (old or {}).get(n, t) != t]
                if changed:
                    self._refuse(file, f"the threat {changed[0]!r}")
            elif old != value:
                self._refuse(file, key)
        old_weights = found.settings.get("weights", {})
        changed = [n for n, mark in self.weights.items() if old_weights.get(n, mark) != mark]
        if changed and not replaceable:
            self._refuse(file, f"weights of {changed[0]}")
        self.weights = {**old_weights, **self.weights}
        self.settings = {
            **self.settings,
            "threats": {**found.settings.get("threats", {}), **self.settings["threats"]},
        }
        sources = {
            n for n, t in self.settings["threats"].items() if t["through"] in changed
        }
        self.add(
            r for r in found.records if r.subject not in changed and r.threat not in sources
        )
        self.notes += [note for note in found.notes if note not in self.notes]

    def _refuse(self, file: Path, what: str) -> None:
        raise InputError(
            f"{file} was computed with other settings ({what}); use the same, or another file."
        )

    def add(self, records: Iterable[Record]) -> None:
        """Take records in; a second one of the same is dropped."""
        new = list(records)
        known = {(r.subject, r.threat, r.image) for r in new} - self.done
        self.records += [r for r in new if (r.subject, r.threat, r.image) in known]
        self.done |= known

    def has(self, subject: str, threat: str, images: Sequence[str]) -> bool:
        """Whether a subject's figures under a threat are there for all of some images."""
        return all((subject, threat, image) in self.done for image in images)

    def result(self, environment: dict[str, str], damaged: Sequence[str]) -> Result:
        """All of it as a result."""
        settings = {**self.settings, "weights": self.weights}
        order = {UNATTACKED: -1, **{n: i for i, n in enumerate(settings["threats"])}}
        subjects = {n: i for i, n in enumerate(self.weights)}
        controls = {"": -1, **{n: i for i, n in enumerate(CONTROLS)}}
        records = sorted(
            self.records,
            key=lambda r: (
                subjects.get(r.subject, 0), order.get(r.threat, 0), r.eps, controls[r.control],
                self.places.get(r.image, 0),
            ),
        )
        return Result(records, settings, dict(environment), list(self.notes), list(damaged))

    def save(self, environment: dict[str, str], damaged: Sequence[str], *, soon: bool = False) \
            -> None:
        """Write the file, or this process's part of it.

        Args:
            environment: The result's.
            damaged: The result's.
            soon: Write only if the last time is a while ago.
        """
        if self.path is None or (soon and time.monotonic() - self.written < PAUSE):
            return
        target = self.path
        if self.processes.count > 1:
            target = target.with_name(f"{target.stem}.part{self.processes.rank}{target.suffix}")
        self.result(environment, damaged).to_json(target)
        self.written = time.monotonic()

    def gather(self) -> None:
        """Bring the records of all processes together, in each of them."""
        for records in self.processes.gather(self.records):
            self.add(records)

    def finish(self, environment: dict[str, str], damaged: Sequence[str]) -> None:
        """Write the file whole, by the main process, and drop the parts."""
        if self.path is None or not self.processes.main:
            return
        self.result(environment, damaged).to_json(self.path)
        for part in self.path.parent.glob(f"{self.path.stem}.part*{self.path.suffix}"):
            part.unlink(missing_ok=True)

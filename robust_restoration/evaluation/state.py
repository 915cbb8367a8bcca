"""What was computed already, in a file, so that a stopped evaluation goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from robust_restoration.environment import environment
from robust_restoration.errors import InputError
from robust_restoration.processes import Processes, part_file, part_files

from .controls import CONTROLS
from .result import UNATTACKED, Record, Result
from .tasks import Task
from .threats import Threat

PAUSE = 10.0  # seconds at least between two writes of the file


class State:
    """Records of an evaluation; with a path, kept in the result's own file.

    Of several processes each keeps what it computed in a part beside it until all is gathered.

    Args:
        path: The file, or ``None``.
        task: The subjects and data. Records of a subject with other weights are computed anew if
            it is replaceable; others must be the same.
        settings: What else must be the same for records to be taken from the file.
        processes: Who writes which part.

    Raises:
        InputError: If the file was computed with other settings, data or weights.
    """

    def __init__(
        self, path: Path | str | None, task: Task, settings: dict[str, Any], processes: Processes
    ) -> None:
        self.path = Path(path) if path else None
        self.task, self.processes = task, processes
        self.settings, self.weights = {**task.settings, **settings}, dict(task.weights)
        self.notes: list[str] = []
        self.records: dict[tuple[str, str, str], list[Record]] = {}
        self.environment, self.written = environment(), time.monotonic()
        for file in self._files():
            self._read(file)
        processes.wait()  # before any process writes

    def _files(self) -> list[Path]:
        if self.path is None:
            return []
        return [file for file in (self.path, *part_files(self.path)) if file.exists()]

    def _read(self, file: Path) -> None:
        found = Result.from_json(file)
        threats = found.settings.get("threats", {})
        weights = found.settings.get("weights", {})
        other = [
            key for key, value in self.settings.items()
            if key != "threats" and found.settings.get(key) != value
        ]
        other += [
            f"the threat {name!r}"
            for name, own in self.settings["threats"].items() if threats.get(name, own) != own
        ]
        changed = {name for name, mark in self.weights.items() if weights.get(name, mark) != mark}
        if not self.task.replaceable:
            other += [f"weights of {name}" for name in sorted(changed)]
        if other:
            raise InputError(
                f"{file} was computed with other settings ({other[0]}); use the same, or another "
                "file."
            )
        self.weights = {**weights, **self.weights}
        self.settings["threats"] = threats = {**threats, **self.settings["threats"]}
        stale = {name for name, own in threats.items() if own.get("through") in changed}
        self.add(r for r in found.records if r.subject not in changed and r.threat not in stale)
        self.notes += [note for note in found.notes if note not in self.notes]

    def add(self, records: Iterable[Record]) -> None:
        """Take records in; a second one of the same is dropped."""
        new: dict[tuple[str, str, str], list[Record]] = {}
        for record in records:
            new.setdefault((record.subject, record.threat, record.image), []).append(record)
        for key, rows in new.items():
            self.records.setdefault(key, rows)

    def missing(self, subject: str, threat: str, images: Sequence[str]) -> list[str]:
        """The images of which a subject's figures under a threat are not there."""
        return [image for image in images if (subject, threat, image) not in self.records]

    def result(self) -> Result:
        """All of it as a result."""
        threats = [UNATTACKED, *self.settings["threats"]]
        orders = (list(self.weights), threats, ["", *CONTROLS], self.task.names)
        subject, threat, control, image = ({n: i for i, n in enumerate(o)} for o in orders)
        records = sorted(
            (record for rows in self.records.values() for record in rows),
            key=lambda r: (
                subject.get(r.subject, 0), threat.get(r.threat, 0), r.eps,
                control.get(r.control, 0), image.get(r.image, 0),
            ),
        )
        settings = {**self.settings, "weights": self.weights}
        return Result(
            records, settings, self.environment, list(self.notes), list(self.task.data.damaged)
        )

    def save(self, *, soon: bool = False) -> None:
        """Write the file, or this process's part of it.

        Args:
            soon: Write only if the last time is a while ago.
        """
        if self.path is None or (soon and time.monotonic() - self.written < PAUSE):
            return
        several = self.processes.count > 1
        own = part_file(self.path, self.processes.rank) if several else self.path
        self.result().to_json(own)
        self.written = time.monotonic()

    def gather(self, threats: Iterable[Threat]) -> None:
        """Bring the records of all processes together, in each of them.

        Raises:
            InputError: If figures are missing, such as those of a process that died.
        """
        self.save()
        own = [record for rows in self.records.values() for record in rows]
        for records in self.processes.gather(own):
            self.add(records)
        limits = {UNATTACKED: None, **{threat.name: threat.limit for threat in threats}}
        for threat, limit in limits.items():
            for subject in self.task.subjects:
                missing = self.missing(subject, threat, self.task.names[:limit])
                if missing:
                    raise InputError(
                        f"There are no figures of {subject} under {threat!r} for {len(missing)} "
                        f"images, such as {missing[0]}: a process ended early. Run it again; with "
                        "a state file it goes on from there."
                    )

    def finish(self) -> None:
        """Write the file whole, by the main process, and drop the parts."""
        if self.path is not None and self.processes.main:
            self.result().to_json(self.path)
            for part in set(self._files()) - {self.path}:
                part.unlink(missing_ok=True)

"""Certifying a data set: images over processes, and from where a stopped run was."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from robust_restoration.data import LabelledImages, load_labelled
from robust_restoration.environment import environment
from robust_restoration.errors import InputError
from robust_restoration.evaluation.tasks import weights_hash
from robust_restoration.models.classifiers import (
    NormalizedClassifier,
    classifier_name,
    input_channels,
)
from robust_restoration.numbers import check_count
from robust_restoration.processes import Processes, part_file, part_files

from .certificates import Certificates, CertifiedImage
from .smoothing import SmoothedClassifier

PAUSE = 10.0  # seconds at least between two writes of the state


def certify_set(
    smoothed: SmoothedClassifier,
    data: Any,
    *,
    n0: int = 100,
    n: int = 10_000,
    alpha: float = 0.001,
    every: int = 1,
    limit: int | None = None,
    size: int | None = None,
    channels: int | None = None,
    root: Path | str | None = None,
    state: Path | str | None = None,
    names: dict[str, str] | None = None,
    progress: bool = True,
) -> Certificates:
    """Certify the images of a data set.

    Args:
        smoothed: The smoothed classifier.
        data: Labelled images, or what `load_labelled` takes.
        n0: Draws an image for the guess.
        n: Draws an image for the bound.
        alpha: The probability that an image's certificate is wrong.
        every: Take each so many-th image, as papers do of large sets; numbers stay.
        limit: Take only the first so many images of the set.
        size: Side that images are brought to.
        channels: Of the images; by default the classifier's.
        root: Where named data sets lie.
        state: A JSON file of the result in the making; a stopped run goes on from it.
        names: What the result calls ``"classifier"`` and ``"denoiser"``.
        progress: Show a progress bar.

    Raises:
        InputError: If the images do not fit, an option is out of range, or ``state`` was computed
            with other settings.
        DataError: If there are no such data, or ``state`` is damaged.
    """
    check_count("every", every)
    processes = Processes()
    wrapped = smoothed.classifier
    bare = wrapped.classifier if isinstance(wrapped, NormalizedClassifier) else wrapped
    own = data.images.shape[1] if isinstance(data, LabelledImages) else 3
    images = load_labelled(
        data, size=size, channels=channels or input_channels(bare) or own, limit=limit, root=root
    )
    numbers = list(range(0, len(images), every))
    told = {
        "classifier": classifier_name(bare),
        "classifier_weights": weights_hash(bare),
        "denoiser": "" if smoothed.denoiser is None else type(smoothed.denoiser).__name__,
        "denoiser_weights": "" if smoothed.denoiser is None else weights_hash(smoothed.denoiser),
        **(names or {}),
        "sigma": smoothed.sigma, "n0": n0, "n": n, "alpha": alpha, "seed": smoothed.seed,
        "autocast": smoothed.precision,
        "data": images.name or str(data), "data_hash": images.fingerprint(),
        "every": every, "images": len(numbers),
    }
    kept = _State(Path(state) if state else None, told, images.damaged, processes)
    left = [number for number in numbers if number not in kept.found]
    mine = processes.share(left)
    device = next((p.device for p in smoothed.parameters()), None)
    with kept, _bar(progress and processes.main, len(mine) * (n0 + n)) as advance:
        for number in mine:
            image = images.pixels(slice(number, number + 1)).to(device)
            made = smoothed.certify(
                image, n0=n0, n=n, alpha=alpha, index=number, advance=advance
            )
            kept.add(
                CertifiedImage(
                    number, int(images.labels[number]), int(made.prediction), float(made.radius)
                )
            )
    kept.gather()
    missing = [number for number in numbers if number not in kept.found]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(numbers)} images were not certified, such as number "
            f"{missing[0]}: a process was lost. Run the same again, it goes on from there."
        )
    return kept.finish(numbers)


class _State:
    """Records by image; with a path, in a file that a stopped run goes on from.

    Of several processes each writes a part beside it, until all is gathered.
    """

    def __init__(
        self,
        path: Path | None,
        settings: dict[str, Any],
        damaged: Sequence[str],
        processes: Processes,
    ) -> None:
        self.path, self.settings, self.processes = path, settings, processes
        self.damaged, self.environment = list(damaged), environment()
        self.found: dict[int, CertifiedImage] = {}
        self.written = time.monotonic()
        for file in self._files():
            self._read(file)
        processes.wait()  # before any process writes

    def _files(self) -> Iterator[Path]:
        if self.path is not None:
            yield from (file for file in (self.path, *part_files(self.path)) if file.exists())

    def _read(self, file: Path) -> None:
        old = Certificates.from_json(file)
        for key, value in self.settings.items():
            if old.settings.get(key) != value:
                raise InputError(
                    f"{file} was computed with other settings: {key} is "
                    f"{old.settings.get(key)!r} there and {value!r} here; use the same, or "
                    "another file."
                )
        self.found |= {record.image: record for record in old.records}

    def add(self, record: CertifiedImage) -> None:
        """Take a record in, and write what there is if the last time is a while ago."""
        self.found[record.image] = record
        if self.path is not None and time.monotonic() - self.written >= PAUSE:
            self._write(self._own())

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        """Keep what there is, whatever ended the work."""
        if self.path is not None and self.found:
            self._write(self._own())

    def _own(self) -> Path:
        assert self.path is not None
        several = self.processes.count > 1
        return part_file(self.path, self.processes.rank) if several else self.path

    def _write(self, target: Path) -> None:
        self._result(sorted(self.found)).to_json(target)
        self.written = time.monotonic()

    def _result(self, numbers: Sequence[int]) -> Certificates:
        records = [self.found[number] for number in numbers]
        return Certificates(records, self.settings, self.environment, self.damaged)

    def gather(self) -> None:
        """Bring the records of all processes together, in each of them."""
        for records in self.processes.gather(list(self.found.values())):
            self.found |= {record.image: record for record in records}

    def finish(self, numbers: Sequence[int]) -> Certificates:
        """The result; written whole by the main process, which drops the parts."""
        if self.path is not None and self.processes.main:
            self._write(self.path)
            for part in part_files(self.path):
                part.unlink(missing_ok=True)
        return self._result(numbers)


@contextmanager
def _bar(shown: bool, total: int) -> Iterator[Any]:
    """A bar of noisy copies, with the time that is left; gives the function that moves it on."""
    columns = (
        TextColumn("certifying"), BarColumn(), MofNCompleteColumn(), TextColumn("noisy copies"),
        TimeElapsedColumn(), TextColumn("gone,"), TimeRemainingColumn(elapsed_when_finished=False),
        TextColumn("left"),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task("certifying", total=total)
        yield lambda count: bar.advance(task, count)

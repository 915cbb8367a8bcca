"""The one result: long-format records, and what is asked of them."""

from __future__ import annotations

import csv
import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from robust_restoration.errors import DataError, InputError
from robust_restoration.files import atomic_path, write_json
from robust_restoration.plugins.registry import registry

if TYPE_CHECKING:
    import pandas

UNATTACKED = "unattacked"
RESAMPLES = 2000
HIGHER_IS_WORSE = ("mae",)


class Record(NamedTuple):
    """One number.

    Attributes:
        subject: What was measured: a denoiser, a classifier, or a purifier before it.
        data: The data set's name.
        image: The image's name.
        threat: What attacked; ``unattacked`` for the image as it came.
        eps: Its budget, as a fraction of [0, 1]; 0 for ``unattacked``.
        control: Which control of the threat; empty for the threat itself.
        metric: ``psnr`` in dB, ``ssim``, ``mae``, ``accuracy`` (0 or 1), ``size`` (root mean
            square of the change), ``observed psnr`` (of what was restored, in dB), ...
        value: The number.
    """

    subject: str
    data: str
    image: str
    threat: str
    eps: float
    control: str
    metric: str
    value: float


class Condition(NamedTuple):
    """What the values of a metric are means over images of."""

    subject: str
    data: str
    threat: str
    eps: float
    control: str


class Interval(NamedTuple):
    """A mean, and where it lies by the bootstrap over images, with 95 %."""

    mean: float
    low: float
    high: float


Difference = Interval
Cells = dict[Condition, dict[str, dict[str, float]]]


@dataclass
class Result:
    """Everything that an evaluation measured, one record a number.

    Attributes:
        records: In the order of subjects, threats, strengths, controls and images.
        settings: What it was computed with.
        environment: Versions and machine.
        notes: What a careful reader would remark, found while it was computed.
        damaged: Images that could not be read, one sentence each.
    """

    records: list[Record] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._sorted: tuple[int, Cells] = (-1, {})

    # -- what there is ----------------------------------------------------------------------

    def cells(self) -> Cells:
        """Condition to metric to image to value."""
        if self._sorted[0] != len(self.records):
            found: Cells = {}
            for r in self.records:
                key = Condition(r.subject, r.data, r.threat, r.eps, r.control)
                found.setdefault(key, {}).setdefault(r.metric, {})[r.image] = r.value
            self._sorted = len(self.records), found
        return self._sorted[1]

    def _distinct(self, name: str) -> list[Any]:
        return list(dict.fromkeys(getattr(key, name) for key in self.cells()))

    @property
    def subjects(self) -> list[str]:
        """The subjects, in order."""
        return self._distinct("subject")

    @property
    def data(self) -> list[str]:
        """The data sets, in order."""
        return self._distinct("data")

    @property
    def threats(self) -> list[str]:
        """The threats, in order, without ``unattacked``."""
        return [t for t in self._distinct("threat") if t != UNATTACKED]

    @property
    def metrics(self) -> list[str]:
        """The metrics, in order; the first is what tables and plots are of."""
        found = dict.fromkeys(m for cell in self.cells().values() for m in cell)
        return sorted(found, key=lambda m: m in ("size", "observed psnr"))

    def images(self, data: str | None = None) -> list[str]:
        """Names of the images, of one data set or of all."""
        return list(dict.fromkeys(r.image for r in self.records if data in (None, r.data)))

    def controls(self, threat: str) -> list[str]:
        """Names of a threat's controls."""
        return list(
            dict.fromkeys(k.control for k in self.cells() if k.threat == threat and k.control)
        )

    def strengths(self, threat: str) -> list[float]:
        """A threat's budgets, ascending."""
        return sorted({k.eps for k in self.cells() if k.threat == threat})

    def only(
        self, *, subjects: Sequence[str] | None = None, threats: Sequence[str] | None = None
    ) -> Result:
        """The records of some subjects and threats."""
        kept = [
            r
            for r in self.records
            if (subjects is None or r.subject in subjects)
            and (threats is None or r.threat in threats)
        ]
        return Result(kept, self.settings, self.environment, self.notes, self.damaged)

    # -- figures ----------------------------------------------------------------------------

    def condition(
        self,
        threat: str = UNATTACKED,
        *,
        subject: str | None = None,
        eps: float | None = None,
        control: str = "",
        data: str | None = None,
    ) -> Condition:
        """The one condition that the words mean; what is left out must be the only one.

        Raises:
            InputError: If there is none, or several; names them.
        """
        if eps == 0 and not control:
            threat = UNATTACKED
        chosen = {"threat": threat, "control": control, "subject": subject, "data": data}
        found = [
            key
            for key in self.cells()
            if all(v is None or getattr(key, k) == v for k, v in chosen.items())
            and (eps is None or threat == UNATTACKED or abs(key.eps - eps) < 1e-9)
        ]
        if len(found) == 1:
            return found[0]
        said = ", ".join(f"{k} {v!r}" for k, v in {**chosen, "eps": eps}.items() if v)
        if not found:
            raise InputError(
                f"There is nothing of {said}; there are the subjects {', '.join(self.subjects)}, "
                f"the threats {', '.join([UNATTACKED, *self.threats])}, and the metrics "
                f"{', '.join(self.metrics)}."
            )
        open_words = [
            f"{name}= ({', '.join(dict.fromkeys(str(getattr(k, name)) for k in found))})"
            for name in ("subject", "data", "eps")
            if len({getattr(k, name) for k in found}) > 1
        ]
        raise InputError(f"There are {len(found)} of {said}; say which {' and '.join(open_words)}.")

    def values(
        self, threat: str = UNATTACKED, metric: str | None = None, **which: Any
    ) -> dict[str, float]:
        """Image to value, of one metric and condition.

        Args:
            threat: The threat's name.
            metric: By default the first one: ``psnr`` or ``accuracy``.
            **which: ``subject``, ``eps``, ``control`` and ``data``, as `condition` takes them.

        Raises:
            InputError: If there is no such condition, or several.
        """
        metric = metric or self.metrics[0]
        cell = self.cells()[self.condition(threat, **which)]
        if metric not in cell:
            raise InputError(f"There is no {metric!r} here; there is {', '.join(cell)}.")
        return cell[metric]

    def mean(self, threat: str = UNATTACKED, metric: str | None = None, **which: Any) -> float:
        """A metric's mean over the images; arguments as `values`."""
        return statistics.fmean(self.values(threat, metric, **which).values())

    def deviation(self, threat: str = UNATTACKED, metric: str | None = None, **which: Any) -> float:
        """A metric's standard deviation over the images; arguments as `values`."""
        values = list(self.values(threat, metric, **which).values())
        return statistics.stdev(values) if len(values) > 1 else 0.0

    def interval(
        self, threat: str = UNATTACKED, metric: str | None = None, *, seed: int = 0, **which: Any
    ) -> Interval:
        """The mean with its bootstrap interval of 95 %; further arguments as `values`."""
        return _bootstrap(list(self.values(threat, metric, **which).values()), seed)

    def difference(
        self, a: Any, b: Any, metric: str | None = None, *, seed: int = 0, **which: Any
    ) -> Interval:
        """The mean of ``a - b`` over the images that both have, with its interval of 95 %.

        Args:
            a: A subject's name, or a dictionary of what `values` takes, such as
                ``{"threat": "white-box", "subject": "mine"}``.
            b: Likewise.
            metric: By default the first one.
            seed: Of the bootstrap.
            **which: What the two have in common, such as ``threat``.

        Raises:
            InputError: If they have no image in common.
        """
        pair = [
            self.values(metric=metric, **{**which, **(
                {"subject": item} if isinstance(item, str) else dict(item)
            )})
            for item in (a, b)
        ]
        shared = [image for image in pair[0] if image in pair[1]]
        if not shared:
            raise InputError(f"{a!r} and {b!r} have no image in common.")
        return _bootstrap([pair[0][image] - pair[1][image] for image in shared], seed)

    def dmr(self, threat: str, metric: str | None = None, **which: Any) -> float:
        """The denoising model robustness: the mean over images of the metric less that on noise.

        Denoising-PGD paper, eq. 5; for PSNR, SSIM and accuracy, below 0 is worse than without an
        attack. Arguments as `values`.
        """
        key = self.condition(threat, **which)
        plain = {"subject": key.subject, "data": key.data}
        attacked = self.values(threat, metric, **which)
        before = self.values(UNATTACKED, metric, **plain)
        return statistics.fmean(value - before[image] for image, value in attacked.items())

    def success(
        self,
        threat: str,
        threshold: float = 0.0,
        *,
        source: str | None = None,
        subject: str | None = None,
        **which: Any,
    ) -> float:
        """Share of images on which an attack made on a source fools a subject too.

        Denoising-PGD paper, eq. 3: counted are only images that source and subject both denoise
        (their output has a higher PSNR than their input, without attack), and on which the source
        falls by more than the threshold.

        Args:
            threat: The threat's name.
            threshold: By how many dB PSNR must fall.
            source: What the attack was made on; by default what the threat says it goes through.
            subject: What is asked whether it is fooled.
            **which: ``eps`` and ``data``, as `condition` takes them.

        Returns:
            0 to 1; NaN where no image meets the condition.

        Raises:
            InputError: If the source is not among the subjects.
        """
        told = self.settings.get("threats", {}).get(threat, {}).get("through")
        target = self.condition(threat, subject=subject, **which)
        source = source or (told if told in self.subjects else None)
        if source is None:
            if told != "whole":
                raise InputError(
                    f"{threat!r} was made on {told!r}, which is not a subject of this result; give "
                    "source=, or evaluate it together with the subjects."
                )
            source = target.subject

        def psnr(name: str, of: str, metric: str = "psnr") -> dict[str, float]:
            eps = {} if of == UNATTACKED else {"eps": target.eps}
            return self.values(of, metric, subject=name, data=target.data, **eps)

        before = {name: psnr(name, UNATTACKED) for name in (source, target.subject)}
        after = {name: psnr(name, threat) for name in (source, target.subject)}
        noisy = psnr(source, UNATTACKED, "observed psnr")
        counted = [
            image
            for image in after[target.subject]
            if before[source][image] > noisy[image]
            and before[target.subject][image] > noisy[image]
            and before[source][image] - after[source][image] > threshold
        ]
        fooled = [
            before[target.subject][i] - after[target.subject][i] > threshold for i in counted
        ]
        return sum(fooled) / len(fooled) if fooled else float("nan")

    def accuracy(self, subject: str, threat: str = UNATTACKED, eps: float | None = None) -> float:
        """Share of images classified right, 0 to 1; eps 0 is without an attack."""
        return self.mean(threat, "accuracy", subject=subject, eps=eps)

    def transfer_sources(self) -> dict[str, str]:
        """Threat to the subject that it was made on, of threats made on another subject."""
        told = self.settings.get("threats", {})
        return {
            t: told[t]["through"]
            for t in self.threats
            if t in told and told[t]["through"] in self.subjects
        }

    def warnings(self) -> list[str]:
        """What a careful reader would remark."""
        from .warnings import warnings

        return warnings(self)

    # -- several results --------------------------------------------------------------------

    @classmethod
    def concat(cls, results: Iterable[Result]) -> Result:
        """Several results as one, for comparing.

        Settings that all have in common stay; those of each are in ``settings["parts"]``.

        Raises:
            InputError: If two hold the same figures, or threats of one name differ.
        """
        found = list(results)
        keys = [set(result.cells()) for result in found]
        for number, own in enumerate(keys):
            same = own & set().union(*keys[:number])
            if same:
                key = min(same)
                raise InputError(
                    f"Two of the results hold figures of {key.subject!r} on {key.data!r} under "
                    f"{key.threat!r}; give subjects names of their own: evaluate(..., name=...)."
                )
        parts = [p for r in found for p in r.settings.get("parts", [r.settings])]
        common = {
            k: v for k, v in (parts[0] if parts else {}).items()
            if k != "threats" and all(p.get(k) == v for p in parts)
        }
        threats: dict[str, Any] = {}
        for part in parts:
            for name, told in part.get("threats", {}).items():
                same_attack = {**threats.get(name, told), "eps": 0} == {**told, "eps": 0}
                if not same_attack:
                    raise InputError(
                        f"The threat {name!r} is not the same in all results; give threats names "
                        "of their own: Threat(..., name=...)."
                    )
                threats[name] = told
        return cls(
            [r for result in found for r in result.records],
            {**common, "threats": threats, "parts": parts},
            dict(found[0].environment) if found else {},
            list(dict.fromkeys(note for result in found for note in result.notes)),
            list(dict.fromkeys(word for result in found for word in result.damaged)),
        )

    def __add__(self, other: Result) -> Result:
        return self.concat([self, other])

    # -- export -----------------------------------------------------------------------------

    def summary(self) -> list[dict[str, Any]]:
        """One row a condition: its means and how many images they are over."""
        return [
            {
                **key._asdict(),
                "images": max(len(values) for values in cell.values()),
                **{metric: statistics.fmean(values.values()) for metric, values in cell.items()},
            }
            for key, cell in self.cells().items()
        ]

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data; records are grouped by condition, values in images' order."""
        images = {name: self.images(name) for name in self.data}
        groups = []
        for key, cell in self.cells().items():
            names = list(next(iter(cell.values())))
            whole = names == images[key.data]
            groups.append(
                {
                    **key._asdict(),
                    **({} if whole else {"images": names}),
                    "values": {m: [values[n] for n in names] for m, values in cell.items()},
                }
            )
        return {
            "settings": self.settings,
            "environment": self.environment,
            "images": images,
            "summary": self.summary(),
            "records": groups,
            "notes": self.notes,
            "warnings": self.warnings(),
            "damaged": self.damaged,
        }

    def to_json(self, path: Path | str | None = None) -> str:
        """All of it as JSON text; written to ``path``, atomically, if there is one."""
        content = self.to_dict()
        if path is not None:
            write_json(path, content)
        return json.dumps(content, indent=2, ensure_ascii=False)

    @classmethod
    def from_json(cls, source: Path | str) -> Result:
        """Read what `to_json` gave: the file, or the text.

        Raises:
            DataError: If it is damaged, or not there.
        """
        text = isinstance(source, str) and source.lstrip().startswith("{")
        where = "The text" if text else str(source)
        try:
            raw = json.loads(str(source) if text else Path(source).read_text(encoding="utf-8"))
            records = []
            for g in raw["records"]:
                images = g.get("images", raw["images"][g["data"]])
                for values in g["values"].values():
                    if len(values) != len(images):
                        raise ValueError(f"{len(values)} values for {len(images)} images")
                records += [
                    Record(
                        g["subject"], g["data"], image, g["threat"], float(g["eps"]), g["control"],
                        metric, float(values[number]),
                    )
                    for number, image in enumerate(images)
                    for metric, values in g["values"].items()
                ]
            return cls(
                records, raw["settings"], raw["environment"], raw["notes"], raw["damaged"]
            )
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise DataError(f"{where} is not a result of an evaluation ({error!r}).") from error

    def to_frame(self) -> pandas.DataFrame:
        """One row a record; needs pandas.

        Raises:
            InputError: If pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise InputError("to_frame needs pandas: pip install pandas.") from None

        return pandas.DataFrame(self.records, columns=list(Record._fields))

    def to_csv(self, path: Path | str) -> None:
        """One row a record, written atomically."""
        with atomic_path(path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(Record._fields)
            writer.writerows(self.records)

    def to_markdown(self, metric: str | None = None) -> str:
        """Tables of means: by strength where something is classified, else by condition.

        Args:
            metric: Of the table by strength; by default the first one.
        """
        from .table import markdown, tables

        return "\n\n".join(markdown(table) for table in tables(self, metric))

    def to_html(self, path: Path | str, **options: Any) -> None:
        """Write one page that asks for nothing from elsewhere, by the plugin that offers this verb.

        Args:
            path: The file, written atomically.
            **options: What the plugin's function takes: ``robust-restoration list verbs NAME``.
        """
        known = registry()
        known.create("verbs", known.default("verbs", "to_html"), [self], path, **options)

    def __rich__(self) -> Any:
        """The tables and what is to be remarked, for rich."""
        from rich.console import Group
        from rich.text import Text

        from .table import rich_table, tables

        return Group(
            *(rich_table(table) for table in tables(self)),
            *(Text(f"! {w}", style="yellow") for w in self.warnings()),
        )

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=160)
        with console.capture() as capture:
            console.print(self)
        return capture.get()

    def plot(self, path: Path | str | None = None, metric: str | None = None) -> Any:
        """Plot: curves over strengths, a heat map of transfer, or the conditions' means with dots.

        Args:
            path: PNG, PDF or SVG file to write, atomically.
            metric: By default the first one.

        Returns:
            The matplotlib figure.
        """
        from .plot import plot

        figure = plot(self, metric or self.metrics[0])
        if path is not None:
            with atomic_path(path) as temporary:
                figure.savefig(temporary, dpi=130)
        return figure


def _bootstrap(values: Sequence[float], seed: int) -> Interval:
    array = np.asarray(values, dtype=float)
    draws = np.random.default_rng(seed).integers(0, len(array), (RESAMPLES, len(array)))
    low, high = np.quantile(array[draws].mean(axis=1), [0.025, 0.975])
    return Interval(float(array.mean()), float(low), float(high))

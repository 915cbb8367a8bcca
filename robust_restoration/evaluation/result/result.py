"""The one result: long-format records, and what is asked of them."""

from __future__ import annotations

import csv
import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from robust_restoration import verbs
from robust_restoration.errors import InputError, UnknownNameError
from robust_restoration.files import atomic_path, write_figure, write_json
from robust_restoration.plugins.registry import registry
from robust_restoration.plugins.targets import call, load_target

from .intervals import Interval, of_difference, of_mean
from .table import Table

if TYPE_CHECKING:
    import pandas

UNATTACKED = "unattacked"
APART = ("size", "observed psnr")  # metrics that are not of what the subject makes


class Record(NamedTuple):
    """One number.

    Attributes:
        subject: What was measured: a denoiser, a classifier, or a purifier before it.
        data: The data set's name.
        image: The image's name.
        threat: What attacked; ``unattacked`` for the image as it came.
        eps: Its budget, as a fraction of [0, 1]; 0 for ``unattacked``, infinity for an attack
            that has none.
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

    def _distinct(self, name: str, threat: str | None = None) -> list[Any]:
        found = (getattr(key, name) for key in self.cells() if threat in (None, key.threat))
        return [value for value in dict.fromkeys(found) if value not in ("", UNATTACKED)]

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
        return self._distinct("threat")

    @property
    def metrics(self) -> list[str]:
        """The metrics, in order; the first is what tables and plots are of."""
        found = dict.fromkeys(metric for cell in self.cells().values() for metric in cell)
        return sorted(found, key=lambda metric: metric in APART)

    def images(self, data: str | None = None) -> list[str]:
        """Names of the images, of one data set or of all."""
        return list(dict.fromkeys(r.image for r in self.records if data in (None, r.data)))

    def controls(self, threat: str) -> list[str]:
        """Names of a threat's controls."""
        return self._distinct("control", threat)

    def strengths(self, threat: str) -> list[float]:
        """A threat's budgets, ascending."""
        return sorted(self._distinct("eps", threat))

    def threat_settings(self, threat: str) -> dict[str, Any]:
        """What the settings say of a threat: ``attack``, ``through``, ``differentiates``, ..."""
        return self.settings.get("threats", {}).get(threat, {})

    def only(self, *, subjects: Sequence[str], threats: Sequence[str]) -> Result:
        """The records of some subjects and threats, and what was said of these threats."""
        kept = [r for r in self.records if r.subject in subjects and r.threat in threats]
        told = self.settings.get("threats", {})
        settings = {**self.settings, "threats": {k: v for k, v in told.items() if k in threats}}
        gone = [f"{threat}: " for threat in told if threat not in threats]
        notes = [note for note in self.notes if not any(words in note for words in gone)]
        return Result(kept, settings, self.environment, notes, self.damaged)

    # -- figures ----------------------------------------------------------------------------

    def condition(
        self, threat: str = UNATTACKED, *, eps: float | None = None, control: str = "",
        subject: str | None = None, data: str | None = None,
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
            and (eps is None or threat == UNATTACKED or math.isclose(key.eps, eps, abs_tol=1e-9))
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
        several = {
            name: dict.fromkeys(str(getattr(key, name)) for key in found)
            for name in ("subject", "data", "eps")
        }
        which = [f"{n}= ({', '.join(words)})" for n, words in several.items() if len(words) > 1]
        raise InputError(f"There are {len(found)} of {said}; say which {' and '.join(which)}.")

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
        cell = self.cells()[self.condition(threat, **which)]
        metric = metric or self.metrics[0]
        if metric not in cell:
            raise InputError(f"There is no {metric!r} here; there is {', '.join(cell)}.")
        return cell[metric]

    def mean(self, threat: str = UNATTACKED, metric: str | None = None, **which: Any) -> float:
        """A metric's mean over the images; arguments as `values`."""
        return statistics.fmean(self.values(threat, metric, **which).values())

    def interval(
        self, threat: str = UNATTACKED, metric: str | None = None, *, seed: int = 0, **which: Any
    ) -> Interval:
        """The mean with its interval of 95 %; further arguments as `values`.

        Of accuracy Wilson's, of other metrics by the bootstrap over images.
        """
        values = self.values(threat, metric, **which).values()
        return of_mean(list(values), metric or self.metrics[0], seed)

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
        words = [{"subject": item} if isinstance(item, str) else dict(item) for item in (a, b)]
        pair = [self.values(metric=metric, **{**which, **word}) for word in words]
        shared = [image for image in pair[0] if image in pair[1]]
        if not shared:
            raise InputError(f"{a!r} and {b!r} have no image in common.")
        differences = [pair[0][image] - pair[1][image] for image in shared]
        return of_difference(differences, metric or self.metrics[0], seed)

    def dmr(self, threat: str, metric: str | None = None, **which: Any) -> float:
        """The denoising model robustness: the mean over images of the metric less that on noise.

        Denoising-PGD paper, eq. 5; for PSNR, SSIM and accuracy, below 0 is worse than without an
        attack. Arguments as `values`.
        """
        key = self.condition(threat, **which)
        before = self.values(UNATTACKED, metric, subject=key.subject, data=key.data)
        attacked = self.values(threat, metric, **which)
        return statistics.fmean(value - before[image] for image, value in attacked.items())

    def accuracy(self, subject: str, threat: str = UNATTACKED, eps: float | None = None) -> float:
        """Share of images classified right, 0 to 1; eps 0 is without an attack."""
        return self.mean(threat, "accuracy", subject=subject, eps=eps)

    def warnings(self) -> list[str]:
        """What a careful reader would remark: what plugins remark, and the notes."""
        remarks = [load_target(offer.entry) for offer in registry().offers["remarks"]]
        return [sentence for remark in remarks for sentence in remark(self)] + self.notes

    # -- several results --------------------------------------------------------------------

    @classmethod
    def concat(cls, results: Iterable[Result]) -> Result:
        """Several results as one, for comparing.

        Settings that all have in common stay; those of each are in ``settings["parts"]``.

        Raises:
            InputError: If two hold the same figures, or threats of one name differ.
        """
        found, seen = list(results), set[Condition]()
        for result in found:
            for key in result.cells():
                if key in seen:
                    raise InputError(
                        f"Two of the results hold figures of {key.subject!r} on {key.data!r} under "
                        f"{key.threat!r}; give subjects names of their own: evaluate(..., "
                        "name=...)."
                    )
            seen |= set(result.cells())
        parts = [part for r in found for part in r.settings.get("parts", [r.settings])]
        threats: dict[str, Any] = {}
        for name, own in (item for part in parts for item in part.get("threats", {}).items()):
            if {**threats.setdefault(name, own), "eps": 0} != {**own, "eps": 0}:
                raise InputError(
                    f"The threat {name!r} is not the same in all results; give threats names "
                    "of their own: Threat(..., name=...)."
                )
        common = {k: v for k, v in (parts or [{}])[0].items() if all(p.get(k) == v for p in parts)}
        return cls(
            [record for result in found for record in result.records],
            {**common, "threats": threats, "parts": parts},
            dict(found[0].environment) if found else {},
            list(dict.fromkeys(note for result in found for note in result.notes)),
            list(dict.fromkeys(word for result in found for word in result.damaged)),
        )

    def __add__(self, other: Result) -> Result:
        return self.concat([self, other])

    # -- views and files --------------------------------------------------------------------

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
        from .as_json import to_plain

        return to_plain(self)

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
        from .as_json import read

        return read(source)

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
        with atomic_path(path) as temporary, temporary.open(
            "w", newline="", encoding="utf-8", errors="backslashreplace"
        ) as file:
            csv.writer(file).writerows([Record._fields, *self.records])

    def _tables(self, metric: str | None = None) -> list[Table]:
        """As a plugin draws them; where none in use does, all conditions' means in one table."""
        try:
            draw = verbs.tables
        except UnknownNameError:
            rows = self.summary()
            heads = list(dict.fromkeys(name for row in rows for name in row))
            words = [(bool(r["control"]), [str(r.get(name, "")) for name in heads]) for r in rows]
            return [Table("means, as no plugin in use draws tables", heads, words)]
        drawn: list[Table] = draw(self, metric)
        return drawn

    def to_markdown(self, metric: str | None = None) -> str:
        """Tables of means: by strength where something is classified, else by condition.

        Args:
            metric: Of the table by strength; by default the first one.
        """
        return "\n\n".join(table.markdown() for table in self._tables(metric))

    def to_latex(self, metric: str | None = None) -> str:
        """The same tables as LaTeX, for the package booktabs.

        Args:
            metric: Of the table by strength; by default the first one.
        """
        return "\n\n".join(verbs.latex(table) for table in self._tables(metric))

    def to_html(self, path: Path | str, **options: Any) -> None:
        """Write one page that asks for nothing from elsewhere, by the plugin that offers this verb.

        Args:
            path: The file, written atomically.
            **options: What the plugin's function takes: ``robust-restoration list verbs NAME``.
        """
        call(verbs.to_html, "to_html", ([self], path), options)

    def __rich__(self) -> Any:
        """The tables and what is to be remarked, for rich."""
        from rich.console import Group
        from rich.text import Text

        remarks = [Text(f"! {sentence}", style="yellow") for sentence in self.warnings()]
        return Group(*self._tables(), *remarks)

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
            The matplotlib axes, or an array of several; ``axes.figure`` is the whole.
        """
        return write_figure(verbs.plot(self, metric=metric or self.metrics[0]), path)

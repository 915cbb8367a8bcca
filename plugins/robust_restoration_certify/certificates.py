"""What was certified of a data set: one record an image, and what is asked of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from robust_restoration import verbs
from robust_restoration.errors import DataError, InputError, what_is_wrong
from robust_restoration.evaluation.result import Interval
from robust_restoration.evaluation.result.intervals import share
from robust_restoration.evaluation.result.table import Table, with_interval
from robust_restoration.files import atomic_path, read_text, write_json

if TYPE_CHECKING:
    import pandas

ABSTAINED = -1
RADII = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.25)  # those of the papers' tables


@dataclass(frozen=True)
class CertifiedImage:
    """What was certified of one image.

    Attributes:
        image: Its number in the data set, from 0.
        label: What it is.
        prediction: What the smoothed classifier says; -1 where it abstained.
        radius: The L2 norm in [0, 1] units within which it says so; 0 where it abstained.
    """

    image: int
    label: int
    prediction: int
    radius: float

    @property
    def abstained(self) -> bool:
        """Whether the draws were not enough to name a class."""
        return self.prediction == ABSTAINED

    @property
    def right(self) -> bool:
        """Whether a class was named, and it is the right one."""
        return self.prediction == self.label


@dataclass
class Certificates:
    """What was certified of a data set.

    Attributes:
        records: One an image, in the data set's order.
        settings: What it was computed with.
        environment: Versions and machine.
        damaged: Images that could not be read, one sentence each.
    """

    records: list[CertifiedImage] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.records)

    def certified(self, radius: float = 0.0) -> Interval:
        """Certified accuracy: the share that is right, and cannot be changed within a radius.

        With its interval of 95 % (Wilson).

        Args:
            radius: An L2 norm in [0, 1] units; at 0, the share that is right and no abstention.
        """
        return self._share(sum(r.right and r.radius >= radius for r in self.records))

    def abstentions(self) -> Interval:
        """The share of the images of which nothing is said."""
        return self._share(sum(r.abstained for r in self.records))

    def _share(self, count: int) -> Interval:
        if not self.records:
            raise InputError("There is no certified image; expected at least one.")
        return share(count, len(self.records))

    def largest(self) -> float:
        """The largest radius that a right image has; 0 where none is right."""
        return max((r.radius for r in self.records if r.right), default=0.0)

    def radii(self) -> list[float]:
        """The papers' radii, up to the first at which nothing is certified any more."""
        ends = [radius for radius in RADII if radius > self.largest()]
        return [radius for radius in RADII if not ends or radius <= ends[0]]

    def to_markdown(self, radii: Sequence[float] | None = None) -> str:
        """Certified accuracy at radii in per cent, with intervals of 95 %.

        Args:
            radii: By default the papers': quarters, up to the first at which nothing is left.
        """
        table = self._table(radii)
        return f"{table.title}\n\n{table.markdown()}"

    def to_latex(self, radii: Sequence[float] | None = None) -> str:
        """The same as LaTeX, for the package booktabs."""
        return str(verbs.latex(self._table(radii)))

    def _table(self, radii: Sequence[float] | None) -> Table:
        told = self.settings
        radii = self.radii() if radii is None else list(radii)
        behind = f" behind {told['denoiser']}" if told.get("denoiser") else ""
        title = (
            f"{told.get('classifier', 'classifier')}{behind}, {told.get('data', 'data')}: "
            f"{len(self)} images, sigma {told.get('sigma', '?'):g}, n {told.get('n', '?')}, "
            f"alpha {told.get('alpha', '?'):g}"
        )
        shares = [*(self.certified(radius) for radius in radii), self.abstentions()]
        cells = [with_interval(share, 100, 1) for share in shares]
        heads = ["L2 radius", *(f"{radius:g}" for radius in radii), "abstained"]
        return Table(title, heads, [(False, ["certified", *cells])])

    def __str__(self) -> str:
        return self.to_markdown()

    def to_frame(self) -> pandas.DataFrame:
        """One row an image, as a pandas frame: what `CertifiedImage` has, and sigma."""
        try:
            import pandas
        except ImportError:
            raise InputError("to_frame needs pandas: pip install pandas.") from None

        return pandas.DataFrame(self._rows())

    def _rows(self) -> list[dict[str, Any]]:
        sigma = self.settings.get("sigma")
        return [
            {"sigma": sigma, **asdict(r), "right": r.right, "abstained": r.abstained}
            for r in self.records
        ]

    def to_csv(self, path: Path | str) -> None:
        """Write one row an image, atomically."""
        rows = self._rows()
        with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as f:
            writer = csv.DictWriter(f, list(rows[0]) if rows else ["image"])
            writer.writeheader()
            writer.writerows(rows)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data, with certified accuracy at the papers' radii."""
        certified = {f"{r:g}": _rounded(self.certified(r)) for r in self.radii()}
        return {
            "settings": self.settings,
            "environment": self.environment,
            "damaged": self.damaged,
            **({"certified": certified, "abstained": _rounded(self.abstentions())}
               if self.records else {}),
            "records": [asdict(r) for r in self.records],
        }

    def to_json(self, path: Path | str) -> None:
        """Write all of it as JSON, atomically."""
        write_json(path, self.to_dict())

    @classmethod
    def from_json(cls, path: Path | str) -> Certificates:
        """Read what `to_json` wrote.

        Raises:
            DataError: If there is no such file, or it is damaged.
        """
        try:
            content = json.loads(read_text(path))
            records = [_record(row) for row in content["records"]]
            return cls(
                records,
                dict(content["settings"]),
                dict(content["environment"]),
                [str(sentence) for sentence in content["damaged"]],
            )
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise DataError(
                f"{path} holds no certificates ({what_is_wrong(error)}); expected a file that "
                "certify wrote. Give another, or remove it."
            ) from error

    def plot(
        self, path: Path | str | None = None, beside: Mapping[str, Certificates] | None = None
    ) -> Any:
        """Draw certified accuracy against the radius, with intervals.

        Args:
            path: A PNG, PDF or SVG file to write, atomically.
            beside: Further curves by name; this one is then called by its sigma.

        Returns:
            The matplotlib axes; ``axes.figure`` is the whole.
        """
        from .curve import draw

        own = f"sigma {self.settings.get('sigma', '?')}"
        return draw({own: self, **(beside or {})}, path)

    def curve(self) -> tuple[list[float], list[Interval]]:
        """Every radius at which certified accuracy falls, ascending from 0, and what it is there.

        Between two radii it is as at the upper one.
        """
        radii = [0.0, *sorted({r.radius for r in self.records if r.right})]
        return radii, [self.certified(radius) for radius in radii]


def _record(row: dict[str, Any]) -> CertifiedImage:
    names = [f.name for f in fields(CertifiedImage)]
    made = CertifiedImage(**{name: row[name] for name in names})
    whole = all(type(getattr(made, name)) is int for name in ("image", "label", "prediction"))
    if not whole or made.image < 0 or not np.isfinite(made.radius) or made.radius < 0:
        raise ValueError(f"a record is {row!r}")
    return made


def _rounded(share: Interval) -> dict[str, float]:
    return {name: round(value, 4) for name, value in share._asdict().items()}

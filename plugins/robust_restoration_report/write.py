"""Results as one HTML file."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from robust_restoration import __version__
from robust_restoration.errors import InputError
from robust_restoration.evaluation import Result
from robust_restoration.evaluation.result.table import level
from robust_restoration.files import atomic_path

from .certificates import METRIC as CERTIFIED
from .certificates import as_result, certified_summary
from .charts import Chart, charts
from .figures import Row, head, rows, shown_metrics, summary
from .gallery import Strip, gallery

PAGE = Path(__file__).parent / "page"
STRIPS = 12


@dataclass
class Section:
    """What a page says of one result."""

    title: str
    several: bool  # data sets
    warnings: list[str]
    damaged: list[str]
    summary: list[str]
    metrics: list[str]
    rows: list[Row]
    charts: list[Chart]
    threats: dict[str, dict[str, str]]
    settings: dict[str, str]
    environment: dict[str, str]
    command: str
    strips: list[Strip] = field(default_factory=list)
    further_strips: int = 0


def write_report(
    results: Sequence[Result],
    path: Path | str,
    *,
    beside: Sequence[Any] = (),
    title: str = "",
    strips: Path | str | None = None,
    limit: int = STRIPS,
) -> None:
    """Write results as one HTML file that asks for nothing from elsewhere.

    Warnings and a summary first, then charts, the table, strips, settings and environment. Results
    that can stand in one table do so (`Result.concat`); others get a section each.

    Args:
        results: One or several.
        path: The file, written atomically.
        beside: Further results, certificates of ``certify_set``, or files of either.
        title: The page's heading; by default what was evaluated on what.
        strips: A folder that ``evaluate(strips=...)`` wrote pictures to; those that lost most are
            shown, with a zoom and a slider between restored and restored under attack.
        limit: How many strips are put into the page.

    Raises:
        InputError: If there is no result, or the folder holds no strips of any.
    """
    results = [*results, *map(as_result, beside)]
    if not results or not any(r.records for r in results):
        raise InputError("There is no result to report; expected at least one with records.")
    sections = [_section(result) for result in _together(results)]
    if strips is not None:
        _add_strips(sections, _together(results), strips, limit)
    text = render(
        "page.html",
        title=title or "; ".join(dict.fromkeys(s.title for s in sections)),
        sections=sections,
        head=head,
    )
    with atomic_path(path) as temporary:
        # Names of files may hold bytes that are no text; a page is.
        temporary.write_bytes(text.encode("utf-8", "replace"))


def render(template: str, **context: Any) -> str:
    """A page of the folder ``page``, with its style, and its script as the only one that runs."""
    script = (PAGE / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return _environment().get_template(template).render(
        version=__version__,
        style=Markup((PAGE / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        digest=digest,
        **context,
    )


@cache
def _environment() -> Environment:
    """Kept, since a leaderboard has many pages of one template, which takes long to compile."""
    return Environment(
        loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )


def _together(results: list[Result]) -> list[Result]:
    """All in one where they can stand in one table, else each by itself."""
    kinds = {tuple(metric in r.metrics for metric in ("accuracy", CERTIFIED)) for r in results}
    if len(results) == 1 or len(kinds) > 1:
        return results
    try:
        return [Result.concat(results)]
    except InputError:  # two of one name, or another threat of the same name
        return results


def _section(result: Result) -> Section:
    table = rows(result)
    apart = ("threats", "parts", "weights")
    settings = {k: v for k, v in result.settings.items() if k not in apart}
    settings |= {f"weights of {k}": v for k, v in _mapping(result.settings.get("weights")).items()}
    metrics = shown_metrics(result)
    environment = {str(k): str(v) for k, v in result.environment.items()}
    return Section(
        title=_title(result),
        several=len(result.data) > 1,
        warnings=list(dict.fromkeys(result.warnings())),
        damaged=result.damaged,
        summary=(certified_summary if CERTIFIED in metrics else summary)(result, table),
        metrics=metrics,
        rows=table,
        charts=charts(table, metrics),
        threats={
            name: {k: _plain(k, v) for k, v in _mapping(told).items()}
            for name, told in _mapping(result.settings.get("threats")).items()
        },
        settings={k: _plain(k, v) for k, v in settings.items()},
        command=environment.pop("command", ""),
        environment=environment,
    )


def _title(result: Result) -> str:
    who = result.settings.get("classifier") or ", ".join(result.subjects)
    return f"{who} on {', '.join(result.data)}"


def _add_strips(
    sections: list[Section], results: list[Result], folder: Path | str, limit: int
) -> None:
    missing = []
    for section, result in zip(sections, results, strict=True):
        try:
            section.strips, section.further_strips = gallery(result, folder, limit=limit)
        except InputError as error:
            missing.append(error)
    if len(missing) == len(sections):
        raise missing[0]


def _mapping(value: Any) -> dict[str, Any]:
    return {str(k): v for k, v in value.items()} if isinstance(value, Mapping) else {}


def _plain(name: str, value: Any) -> str:
    """A setting as people write it."""
    if isinstance(value, float) and name in ("eps", "sigma"):
        return level(value)
    numbers = isinstance(value, list) and all(isinstance(v, float | None) for v in value)
    if name == "eps" and numbers:
        return ", ".join(level(math.inf if v is None else v) for v in value)
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)

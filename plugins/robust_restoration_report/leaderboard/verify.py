"""Measuring a row of a result file again, on its first images."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from robust_restoration.errors import DataError, InputError
from robust_restoration.evaluation import Result, Threat, evaluate
from robust_restoration.evaluation.tasks import weights_hash

from .protocol import UNATTACKED, Submission

# Other threads and processors change a sum's last digits, and an attack's path with them.
TOLERANCE = {"psnr": 0.1, "observed psnr": 0.01, "ssim": 0.01, "mae": 0.001}


class Verified(NamedTuple):
    """A condition on the sample: what the file says, what was found, and whether it stands."""

    subject: str
    threat: str
    eps: float
    metric: str
    images: int
    claimed: float
    found: float
    stands: bool


def verify(
    submission: Submission,
    *,
    subject: str | None = None,
    sample: int = 2,
    data: Any = None,
    root: Path | str | None = None,
    classifier: str = "",
) -> list[Verified]:
    """Measure a row again on the first images, with its own seed, and compare.

    An image's figures depend on the seed and its number alone, so that those of the first images
    are the same whatever their count.

    Args:
        submission: A file that holds together.
        subject: Which row; all of them by default.
        sample: How many images, counted from the first.
        data: What to load where the data's name does not find it, such as a folder.
        root: Where named data sets lie.
        classifier: For rows of classifiers and purifiers, the classifier as ``evaluate
            --classifier`` takes it.

    Returns:
        One line a condition and metric.

    Raises:
        DataError: If the data or weights here are others than the file's.
        InputError: If the row cannot be measured here: no such subject, or attacks made on others.
    """
    settings, result = submission.result.settings, submission.result
    rows = [subject] if subject is not None else result.subjects
    unknown = [row for row in rows if row not in result.subjects]
    if unknown:
        raise InputError(f"There is no row {unknown[0]!r}; there is {', '.join(result.subjects)}.")
    foreign = [
        name for name, told in settings["threats"].items()
        if told["through"] not in ("whole", "bare") and name in result.threats
    ]
    if foreign:
        source = settings["threats"][foreign[0]]["through"]
        raise InputError(
            f"The threat {foreign[0]!r} was made on {source!r}; only attacks on the row itself, or "
            "on the bare classifier, are made again."
        )
    threats = [
        Threat(
            told["attack"], dict(told["options"]), through=told["through"], eps=told["eps"],
            limit=told["limit"], draws=told["draws"], name=name,
        )
        for name, told in settings["threats"].items()
        if name in result.threats
    ]
    common: dict[str, Any] = {
        "threats": threats, "seed": settings["seed"], "autocast": settings.get("autocast"),
        "root": root, "checks": False, "controls": False, "progress": False,
        "limit": min(sample, settings["images"]),
    }
    source = data if data is not None else settings["data"]
    lines: list[Verified] = []
    if "accuracy" in result.metrics:
        lines += _compare(result, rows, _classified(settings, rows, source, classifier, common))
    else:
        for row in rows:
            lines += _compare(result, [row], _restored(settings, row, source, common))
    return lines


def _restored(settings: dict[str, Any], row: str, source: Any, common: dict[str, Any]) -> Result:
    from robust_restoration import verbs
    from robust_restoration.data import load_images

    denoiser = verbs.load_denoiser(row)
    _same(f"weights of {row}", weights_hash(denoiser), settings["weights"].get(row))
    images = load_images(
        source, root=common["root"], limit=settings["images"],
        channels=getattr(denoiser, "channels", None),
    )
    _same("images", images.fingerprint(), settings["data_hash"])
    noise = settings.get("noise") or ""
    own = noise.startswith("Gaussian noise of") or noise == "its own noise"
    return evaluate(
        denoiser, source, sigma=settings.get("sigma"), noise=None if own else noise,
        within_level=bool(settings.get("within_level")), name=row, **common,
    )


def _classified(
    settings: dict[str, Any], rows: list[str], source: Any, word: str, common: dict[str, Any]
) -> Result:
    from robust_restoration import verbs

    if not word:
        raise InputError(
            f"These rows are of the classifier {settings.get('classifier')!r}; give it as evaluate "
            "takes it: --classifier."
        )
    classifier = verbs.load_classifier(word)
    _same("the classifier's weights", weights_hash(classifier), settings["classifier_weights"])
    return evaluate(
        classifier, source, purifiers=[row for row in rows if row != "none"], **common
    )


def _same(what: str, here: Any, there: Any) -> None:
    if here != there:
        raise DataError(
            f"The {what} here are not those of the file ({here} and {there}); the row cannot be "
            "measured again with these."
        )


def _compare(claimed: Result, rows: list[str], found: Result) -> list[Verified]:
    lines = []
    for key, cell in found.cells().items():
        if key.subject not in rows or key.control:
            continue
        said = claimed.cells()[
            claimed.condition(key.threat, subject=key.subject, data=None, eps=key.eps or None)
            if key.threat != UNATTACKED else claimed.condition(subject=key.subject)
        ]
        for metric, values in cell.items():
            if metric not in said or metric == "size":
                continue
            images = [image for image in values if image in said[metric]]
            if not images:
                first = next(iter(values))
                raise DataError(f"The file has none of the images here, such as {first!r}.")
            pairs = [(said[metric][image], values[image]) for image in images]
            mean, again = (sum(side) / len(images) for side in zip(*pairs, strict=True))
            # Of what is right or wrong one image may tip over, of many images one in twenty.
            slack = max(1.0, len(images) / 20) / len(images) if metric == "accuracy" else (
                TOLERANCE.get(metric, 0.01 * max(abs(mean), abs(again), 1e-9))
            )
            lines.append(
                Verified(key.subject, key.threat, key.eps, metric, len(images), mean, again,
                         abs(mean - again) <= slack)
            )
    return lines

"""How far an attack made on one denoiser hurts another: a view of `robust_restoration.evaluate`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from robust_restoration import Result, Threat, evaluate
from robust_restoration.errors import InputError
from robust_restoration.files import write_json
from robust_restoration.plugins.registry import registry
from robust_restoration.plugins.targets import load_target, parameters_of


@dataclass
class TransferResult:
    """PSNR of each target on attacks made on each source.

    Attributes:
        result: All figures; the threats are called by their sources.
    """

    result: Result

    @property
    def names(self) -> list[str]:
        """The denoisers."""
        return self.result.subjects

    @property
    def sources(self) -> list[str]:
        """Those that attacks were made on."""
        return self.result.threats

    def mean(self, source: str, target: str) -> float:
        """Mean PSNR in dB of a target on a source's attacks."""
        return self.result.mean(source, "psnr", subject=target)

    def dmr(self, source: str, target: str) -> float:
        """Mean change of PSNR against plain noise: below 0, the attack transfers."""
        return self.result.dmr(source, "psnr", subject=target)

    def counted(self, source: str, target: str, threshold: float = 0.0) -> list[str]:
        """Names of the images on which eq. 3 asks whether an attack transfers.

        Those on which both denoisers restore the plain noise (they raise the PSNR of the noisy
        image), and on which the attack fools its own source by more than the threshold.
        """
        noisy = self.result.values(metric="observed psnr", subject=source)
        before = [self.result.values(metric="psnr", subject=name) for name in (source, target)]
        falls = self._falls(source, source)
        return [
            image
            for image, bare in noisy.items()
            if all(values[image] > bare for values in before) and falls[image] > threshold
        ]

    def success(self, source: str, target: str, threshold: float = 0.0) -> float | None:
        """Share of the `counted` images on which the target's PSNR falls by more than a threshold.

        Args:
            source: Which denoiser the attack was made on.
            target: Which denoiser restores what was attacked.
            threshold: M of eq. 3, in dB.

        Returns:
            From 0 to 1; ``None`` where no image counts.
        """
        falls = self._falls(source, target)
        fooled = [falls[image] > threshold for image in self.counted(source, target, threshold)]
        return sum(fooled) / len(fooled) if fooled else None

    def _falls(self, source: str, target: str) -> dict[str, float]:
        before = self.result.values(metric="psnr", subject=target)
        after = self.result.values(source, "psnr", subject=target)
        return {image: before[image] - value for image, value in after.items()}

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data: the result's, the names, and a matrix a question."""
        def matrix(ask: Any) -> dict[str, dict[str, Any]]:
            return {s: {t: ask(s, t) for t in self.names} for s in self.sources}

        return {
            **self.result.to_dict(),
            "names": self.names,
            "dmr": matrix(self.dmr),
            "success": matrix(self.success),
            "counted": matrix(lambda source, target: len(self.counted(source, target))),
        }

    def to_json(self, path: Path | str | None = None) -> str:
        """All of it as JSON text; written to ``path``, atomically, if there is one."""
        if path is not None:
            write_json(path, self.to_dict())
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def to_markdown(self) -> str:
        """Change of PSNR in dB, with one row for each source and one column for each target."""
        plain = [f"{self.result.mean(metric='psnr', subject=name):.2f}" for name in self.names]
        rows = [["made on ↓, restored by →", *self.names], ["plain noise, PSNR", *plain]]
        rows += [[s, *(f"{self.dmr(s, t):+.2f}" for t in self.names)] for s in self.sources]
        lines = [f"| {' | '.join(row)} |" for row in rows]
        return "\n".join([lines[0], "|---|" + "---:|" * len(self.names), *lines[1:]])

    def __str__(self) -> str:
        return self.to_markdown()

    def plot(self, path: Path | str | None = None) -> Any:
        """Draw the changes of PSNR as a heat map, to a PNG, PDF or SVG file if there is one."""
        return self.result.plot(path, "psnr")


def transfer(
    denoisers: Mapping[str, nn.Module],
    data: Any,
    *,
    attack: str = "denoising_pgd",
    attack_options: Mapping[str, Any] | None = None,
    sources: list[str] | None = None,
    sigma: float = 25 / 255,
    channels: int | None = None,
    limit: int | None = None,
    root: Path | str | None = None,
    seed: int = 0,
) -> TransferResult:
    """Attack each source, and restore with each target (denoising-PGD paper, section IV-C).

    Args:
        denoisers: Names with modules.
        data: As `load_images` takes it.
        attack: The attack's name.
        attack_options: Its options.
        sources: Names of those that attacks are made on; all by default.
        sigma: Level of the Gaussian noise, as a fraction of [0, 1]; denoisers that are not blind
            get it.
        channels: Of the images; the first denoiser's by default.
        limit: Use only the first so many images.
        root: Where named data sets lie.
        seed: Of noise and random starts.

    Returns:
        The figures of all pairs, which print, plot and export.

    Raises:
        InputError: If there is no denoiser, or a source is not among them.

    Example:
        >>> models = {tag: rr.create_denoiser("dncnn_b", weights=tag) for tag in ("nt", "hat")}
        >>> transfer(models, "photos/", limit=2).dmr("nt", "hat")
    """
    if not isinstance(denoisers, Mapping):
        raise InputError(
            f"denoisers is a {type(denoisers).__name__}; expected names with modules, such as "
            "{'mine': denoiser}."
        )
    names = list(denoisers)
    chosen = names if sources is None else sources
    if not chosen or not set(chosen) <= set(names):
        raise InputError(
            f"sources are {chosen} and denoisers {names}; expected one or more of the latter."
        )
    options = dict(attack_options or {})
    usual = parameters_of(load_target(registry().find("attacks", attack)[0].entry)).get("eps")
    eps = options.pop("eps", 1.0 if usual is None else usual.default)
    threats = {
        source: Threat(attack, options, through=source, eps=eps, controls=False)
        for source in chosen
    }
    return TransferResult(
        evaluate(
            denoisers, data, threats=threats, sigma=sigma, channels=channels, limit=limit,
            root=root, checks=False, seed=seed, progress=False,
        )
    )

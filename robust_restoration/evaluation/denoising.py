"""How well a denoiser holds under attack, with the controls that tell what an attack did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from torch import Tensor, nn

from robust_restoration.contracts import Degradation, Denoiser
from robust_restoration.data import RestorationImages, load_images
from robust_restoration.degradations.gaussian import Gaussian
from robust_restoration.degradations.names import parse_noise
from robust_restoration.environment import environment
from robust_restoration.errors import InputError
from robust_restoration.images.metrics import mae, ssim
from robust_restoration.images.tiling import Tiled
from robust_restoration.models.create import create_attack
from robust_restoration.models.precision import check_autocast
from robust_restoration.models.restore import conditioning, quality, restored
from robust_restoration.plugins.registry import registry

from .controls import CONTROLS, control
from .denoising_result import NOISY, DenoisingResult
from .masking import signs_of_masking
from .progress import progress_bar
from .strips import write_strip

CHECKED = 4  # images on which signs of masked gradients are looked for
WHOLE = 1024  # images with a longer side are restored in tiles
Rows = dict[int, dict[str, dict[str, float]]]


def evaluate(
    denoiser: nn.Module,
    data: Any,
    *,
    attacks: Sequence[Any] | Mapping[str, Any] = ("obsatk_auto",),
    sigma: float | None = 25 / 255,
    eps: float = 5 / 255,
    noise: Degradation | str | None = None,
    within_level: bool = False,
    controls: bool = True,
    checks: bool = True,
    channels: int | None = None,
    limit: int | None = None,
    root: Path | str | None = None,
    batch_size: int = 8,
    tile: int | None = 512,
    autocast: str | None = None,
    strips: Path | str | None = None,
    seed: int = 0,
    name: str | None = None,
    progress: bool = True,
) -> DenoisingResult:
    """PSNR, SSIM and MAE of restored images, as they came and under attack, with controls.

    An image's noise, attack and controls depend on the seed and its number alone: neither on the
    batch size nor on the number of processes (``accelerate launch``), over which images are split.

    Args:
        denoiser: A `Denoiser`, or any module that maps images to images.
        data: What `load_images` takes: a name such as ``"set12"``, a folder, tensors. Sets of real
            noise are taken with their noise.
        attacks: Names, (name, options) pairs or attacks; or a mapping from the rows' labels to
            these.
        sigma: Level of the Gaussian noise, as a fraction of [0, 1]; told to a denoiser that is not
            blind. ``None`` where it is blind and ``noise`` is given.
        eps: Budget of each attack that is given by name without one of its own.
        noise: Another noise than Gaussian of ``sigma``: a noise model or a word such as
            ``"poisson:30"``.
        within_level: Attack images whose noise has the level sigma - eps, so that noise and
            perturbation together stay within sigma: the ObsAtk paper's "Atk" columns. Without it
            the very images of the row ``noisy`` are attacked.
        controls: Also restore what has the attack's size but not its knowledge, see `controls`.
        checks: Look for masked gradients on the first four images of each attack.
        channels: Of the images; by default the denoiser's.
        limit: Use only the first so many images.
        root: Where named data sets lie.
        batch_size: Images of the same size that are attacked at a time.
        tile: Images with a side above 1024 are restored in tiles of this side; ``None`` for never.
        autocast: ``"bf16"`` or ``"fp16"`` for attacks given by name and for restoring.
        strips: A folder for pictures, one strip an image and attack.
        seed: Of noise, random starts and controls.
        name: What the table calls the denoiser; its class by default.
        progress: Show a progress bar.

    Returns:
        The table, which prints, plots and exports.

    Raises:
        InputError: If the denoiser does not fit the images, or an option makes no sense.
        DataError: If there are no such data.

    Example:
        >>> rr.evaluate(denoiser, "set12", attacks=["obsatk", "denoising_pgd"], sigma=25 / 255)
    """
    check_autocast(autocast)
    if within_level and (sigma is None or noise is not None or sigma < eps):
        raise InputError(
            f"within_level takes eps ({eps:g}) off the level of Gaussian noise; sigma is "
            f"{sigma!r}. Give a sigma of at least eps, and no other noise."
        )
    own = denoiser.channels if isinstance(denoiser, Denoiser) else None
    images = load_images(data, root=root, channels=channels or own, limit=limit)
    model = parse_noise(noise) if isinstance(noise, str) else noise
    if model is None and images.noisy is None:
        if sigma is None:
            raise InputError("sigma is None and there is no noise: give one of them.")
        model = Gaussian(sigma)
    if images.noisy is not None and noise is None:
        if within_level:
            raise InputError(
                f"within_level takes eps off the level of Gaussian noise, and {images.name} has "
                "its own noise; leave it out."
            )
        model = None  # the set's own
    work = _Work(denoiser, images, model, sigma, seed, autocast, tile, strips)
    work.quiet = Gaussian(sigma - eps) if within_level and sigma is not None else None
    made = dict(_attacks(attacks, work, eps=eps))
    result = DenoisingResult(
        settings={
            "denoiser": name or type(denoiser).__name__,
            "data": images.name,
            "data_hash": images.fingerprint(),
            "noise": _describe_noise(model, noise, sigma),
            "sigma": sigma,
            "eps": eps,
            "within_level": within_level,
            "attacks": {label: _describe(attack) for label, attack in made.items()},
            "seed": seed,
            "autocast": autocast,
        },
        environment=environment(),
        names=list(images.names),
        damaged=list(images.damaged),
    )
    expected = CONTROLS if controls else ()
    result.conditions = [NOISY]
    for label in made:
        result.conditions += [label, *(f"{label} / {name}" for name in expected)]
    _fill(result, work.rows(made, expected, batch_size, progress))
    if checks:
        result.notes = work.check(made)
    return result


class _Work:
    """The denoiser, the images, and how they are made noisy and restored."""

    def __init__(
        self,
        denoiser: nn.Module,
        images: RestorationImages,
        noise: Degradation | None,
        sigma: float | None,
        seed: int,
        autocast: str | None,
        tile: int | None,
        strips: Path | str | None,
    ) -> None:
        self.images, self.noise, self.sigma, self.seed = images, noise, sigma, seed
        self.quiet: Degradation | None = None
        self.autocast, self.strips = autocast, Path(strips) if strips else None
        self.device = next(denoiser.parameters(), torch.zeros(())).device
        large = max(max(i.shape[-2:]) for i in images.clean) > WHOLE
        self.denoiser = Tiled(denoiser, tile=tile) if large and tile else denoiser
        self.told = conditioning(denoiser, sigma)
        shape = images.clean[0].shape
        self.checked = [i for i, c in enumerate(images.clean) if c.shape == shape][:CHECKED]
        self.seen: dict[tuple[str, int], Tensor] = {}  # what attacks made of these

    def batches(self, size: int) -> Iterator[list[int]]:
        """This process's share of the images, in batches of equal shapes."""
        state = PartialState()
        mine = range(state.process_index, len(self.images), state.num_processes)
        shapes: dict[torch.Size, list[int]] = {}
        for number in mine:
            shapes.setdefault(self.images.clean[number].shape, []).append(number)
        for numbers in shapes.values():
            for start in range(0, len(numbers), size):
                yield numbers[start : start + size]

    def pair(self, numbers: Sequence[int], noise: Degradation | None) -> tuple[Tensor, Tensor]:
        """Noisy and clean images, (N, C, H, W), on the denoiser's device."""
        noisy, clean, _ = self.images.pair(numbers, noise, seed=self.seed)
        return noisy.to(self.device), clean.to(self.device)

    def restored(self, images: Tensor) -> Tensor:
        """What the denoiser makes of images, as float32."""
        return restored(self.denoiser, images, self.told, self.autocast)

    def attacked(
        self, attack: Any, noisy: Tensor, clean: Tensor, numbers: Sequence[int]
    ) -> Tensor:
        """Attack a batch, each image by its number."""
        attack = copy(attack)
        attack.seed = self.seed if attack.seed is None else attack.seed
        return attack(noisy, clean, index=numbers)

    def rows(
        self, attacks: Mapping[str, Any], controls: Sequence[str], size: int, progress: bool
    ) -> Rows:
        """Metrics by image and condition, of all processes."""
        found: Rows = {}
        total = len(self.images) * (1 + len(attacks))
        main = PartialState().is_main_process
        with progress_bar(progress and main, total) as advance:
            for numbers in self.batches(size):
                noisy, clean = self.pair(numbers, self.noise)
                before = self.restored(noisy)
                self._put(found, numbers, NOISY, before, clean, noisy, noisy)
                advance(len(numbers))
                base = noisy
                if self.quiet is not None:
                    base, _ = self.pair(numbers, self.quiet)
                    before = self.restored(base)
                for label, attack in attacks.items():
                    attacked = self.attacked(attack, base, clean, numbers)
                    for row, number in enumerate(numbers):
                        if number in self.checked:
                            self.seen[label, number] = attacked[row].clone()
                    after = self.restored(attacked)
                    self._put(found, numbers, label, after, clean, attacked, base)
                    for name in controls:
                        changed = control(
                            name, attack, base, attacked, clean, seed=self.seed + 1, index=numbers
                        )
                        self._put(
                            found,
                            numbers,
                            f"{label} / {name}",
                            self.restored(changed),
                            clean,
                            changed,
                            base,
                        )
                    self._draw(label, numbers, clean, base, before, attacked, after)
                    advance(len(numbers))
        if PartialState().num_processes > 1:
            return dict(pair for part in gather_object([list(found.items())]) for pair in part)
        return found

    def _put(
        self,
        found: Rows,
        numbers: Sequence[int],
        condition: str,
        after: Tensor,
        clean: Tensor,
        images: Tensor,
        base: Tensor,
    ) -> None:
        size = (images - base).float().square().mean(dim=(1, 2, 3)).sqrt()
        figures = {
            "psnr": quality(after, clean),
            "ssim": ssim(after, clean),
            "mae": mae(after, clean),
            "size": size,
        }
        for row, number in enumerate(numbers):
            found.setdefault(number, {})[condition] = {
                name: float(values[row]) for name, values in figures.items()
            }

    def _draw(self, label: str, numbers: Sequence[int], *images: Tensor) -> None:
        if self.strips is None:
            return
        for row, number in enumerate(numbers):
            name = self.images.names[number].replace("/", "-")
            path = self.strips / f"{name}.{label.replace('/', '-')}.png"
            write_strip(path, *(i[row] for i in images))

    def check(self, attacks: Mapping[str, Any]) -> list[str]:
        """Signs of masked gradients on the first images of one shape."""
        numbers = self.checked
        noisy, clean = self.pair(numbers, self.quiet or self.noise)
        found = []
        for label, attack in attacks.items():
            if all((label, number) in self.seen for number in numbers):
                attacked = torch.stack([self.seen[label, number] for number in numbers])
            else:  # another process had some of them
                attacked = self.attacked(attack, noisy, clean, numbers)
            found += [
                f"{label}: {sentence} (seen on {len(numbers)} images)."
                for sentence in signs_of_masking(
                    self.denoiser, attack, noisy, attacked, clean, self.told, seed=self.seed
                )
            ]
        return found


def _attacks(expected: Any, work: _Work, *, eps: float) -> Iterator[tuple[str, Any]]:
    """Each attack with its label."""
    if isinstance(expected, str):
        raise InputError(f"attacks is {expected!r}; expected a list: attacks=[{expected!r}].")
    labelled = isinstance(expected, Mapping)
    pairs = expected.items() if labelled else [(None, word) for word in expected]
    seen: set[str] = set()
    for given, word in pairs:
        label, attack = given, word
        if isinstance(word, str | tuple):
            name, own = (word, {}) if isinstance(word, str) else word
            usual = {"eps": eps, "seed": work.seed, "autocast": work.autocast, "sigma": work.told}
            given_options = {o: value for o, value in usual.items() if value is not None}
            options = registry().accepted("attacks", name, given_options)
            attack = create_attack(name, work.denoiser, **{**options, **own})
            if label is None:
                label = name + "".join(f" {k}={_short(v)}" for k, v in own.items())
        label = label or type(attack).__name__
        if label == NOISY or " / " in label:
            raise InputError(
                f"An attack's row would be called {label!r}; {NOISY!r} and ' / ' have a meaning of "
                "their own. Give attacks as a mapping from other labels."
            )
        if label in seen:
            raise InputError(
                f"Two rows would be called {label!r}; give attacks as a mapping from labels."
            )
        seen.add(label)
        yield label, attack


def _describe_noise(model: Degradation | None, given: Any, sigma: float | None) -> str:
    if model is None:
        return "its own noise"
    if given is None and sigma is not None:
        return f"Gaussian noise of {255 * sigma:g}/255"
    return given if isinstance(given, str) else repr(model)


def _fill(result: DenoisingResult, rows: Rows) -> None:
    for condition in result.conditions:
        result.values[condition] = {
            metric: [rows[number][condition][metric] for number in range(len(result.names))]
            for metric in ("psnr", "ssim", "mae", "size")
        }


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _describe(attack: Any) -> dict[str, Any]:
    """The options of an attack that are plain values."""
    plain = (int, float, str, bool, type(None))
    kept = ("eps", "steps", "alpha", "target", "center", "clip", "restarts", "norm", "gamma")
    return {
        "class": type(attack).__name__,
        **{k: v for k, v in vars(attack).items() if k in kept and isinstance(v, plain)},
    }

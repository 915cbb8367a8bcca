"""What the attacks on denoisers have in common: the loss, its gradient, budgets, saving."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robust_restoration.contracts import Attack, Denoiser, frozen, unwrapped
from robust_restoration.contracts.budgets import in_range, within
from robust_restoration.contracts.freezing import ordinary
from robust_restoration.errors import InputError
from robust_restoration.files import atomic_path
from robust_restoration.images.metrics import psnr
from robust_restoration.models.classifiers import check_module, pretrained_cfg
from robust_restoration.models.precision import autocast, check_autocast
from robust_restoration.models.purify import PurifiedClassifier
from robust_restoration.models.restore import restore
from robust_restoration.models.straight_through import straight_through
from robust_restoration.numbers import check_count, check_level, check_positive

Loss = Callable[[Tensor, Tensor], Tensor]
NO_GRADIENT = (
    "{} gives no gradient to attack along: say `differentiable = False` on it, so that it is "
    "attacked through the straight-through estimate, or give a surrogate."
)


def squared_error(restored: Tensor, clean: Tensor) -> Tensor:
    """Sum of squared errors of each image, (N,)."""
    both = torch.promote_types(restored.dtype, clean.dtype)
    return F.mse_loss(restored.to(both), clean.to(both), reduction="none").flatten(1).sum(1)


def _error_of(clean: Tensor) -> Callable[[Tensor, Any], Tensor]:
    """The squared error of a part of restored images, given with its place."""
    return lambda restored, place: squared_error(restored.float(), clean[place])


def _adds_up(model: Any) -> bool:
    """Whether a model gives the sum of a loss over its parts, and gradients flow through it."""
    return isinstance(model, Denoiser) and model.adds_up and model.differentiable


def check_steps(steps: int, alpha: float | None) -> None:
    """Raise an `InputError` unless there is a step, of a length above 0 or left to the attack."""
    check_count("steps", steps)
    if alpha is not None:
        check_positive("alpha", alpha, at_most=1.0)


class DenoiserAttack(Attack):
    """Base of the attacks on denoisers: ``attack(noisy, clean) -> attacked``.

    Any module that maps images to images can be attacked. One that says ``differentiable = False``
    is attacked through the straight-through estimate: its gradient is taken to be the identity's
    (Athalye et al., arXiv:1802.00420).

    Args:
        model: The denoiser.
        eps: The budget, as a fraction of [0, 1]; a number, or (N,) with one for each image.
        sigma: The noise level that the denoiser is told, a number or (N,).
        clip: ``"project"``: the result stays in [0, 1], and no pixel that the noise put outside
            moves further out, while the budget holds to the digit; ``"paper"``: the result is
            clamped to [0, 1] as the papers' code does, noise and all, and the budget is about the
            clamped input; ``None``: no range.
        loss: What is maximised: ``loss(restored, targets) -> (N,)``; the squared error to the
            clean image by default. One with methods ``parts`` and ``overwriting``, as
            `TowardsMirrored` has, is taken of a large image by tiles. With a classifier in it, and
            labels as the targets, an attack goes through denoiser and classifier together.
        surrogate: A module whose gradients are used instead of the model's own (transfer).
        autocast: ``"bf16"`` or ``"fp16"``: the network runs in it; ``None`` for float32.
        seed: Of random starts; as in `Attack`.

    Raises:
        InputError: If an option makes no sense.
    """

    random = False

    def __init__(
        self,
        model: nn.Module,
        *,
        eps: float | Tensor,
        sigma: float | Tensor | None = None,
        clip: str | None = "project",
        loss: Loss | None = None,
        surrogate: nn.Module | None = None,
        autocast: str | None = None,
        seed: int | None = None,
    ) -> None:
        check_module(model, "denoiser")
        classifies = isinstance(unwrapped(model), PurifiedClassifier) or pretrained_cfg(model)
        if loss is None and classifies:
            raise InputError(
                f"{type(self).__name__} attacks denoisers, and {type(model).__name__} is a "
                "classifier; 'torchattacks/...' are for these, such as 'torchattacks/pgd'."
            )
        super().__init__(type(self).__name__, model)
        self.supported_mode = ["default"]
        self.eps = eps
        check_level("eps", eps)
        if clip not in ("project", "paper", None):
            raise InputError(f"clip is {clip!r}; expected 'project', 'paper' or None.")
        check_autocast(autocast)
        if loss is not None and not callable(loss):
            raise InputError(
                f"loss is {loss!r}; expected a function of restored and clean images, which words "
                "cannot give."
            )
        self.bounds = (0.0, 1.0) if clip == "project" else None
        self.sigma, self.clip, self.loss = sigma, clip, loss
        self.surrogate, self.autocast, self.seed = surrogate, autocast, seed

    def check(self, inputs: Tensor, targets: Tensor | None) -> None:
        """As in `Attack`; the clean images are needed, and everything is finite.

        Args:
            inputs: Noisy images (N, C, H, W), not clamped by need.
            targets: Clean images (N, C, H, W), or what ``loss`` compares with.
        """
        super().check(inputs, targets)
        name = type(self).__name__
        if targets is None:
            raise InputError(f"{name} needs the clean images: attack(noisy, clean).")
        if self.loss is None and targets.shape != inputs.shape:
            raise InputError(
                f"{name} got inputs {tuple(inputs.shape)} and targets {tuple(targets.shape)}; "
                "expected clean images of the same shape. Classifiers, with labels, are attacked "
                "by 'torchattacks/...'."
            )
        for what, images in (("inputs", inputs), ("targets", targets)):
            if not bool(torch.isfinite(images).all()):
                raise InputError(
                    f"{name} got {what} with NaN or infinite values; expected finite images."
                )

    def models(self) -> list[Any]:
        """The denoiser, and the surrogate where there is one."""
        return [self.model] if self.surrogate is None else [self.model, self.surrogate]

    def part(self, cut: Callable[[Any], Any]) -> Attack:
        """As in `Attack`, with the image's own noise level."""
        part = super().part(cut)
        part.sigma = cut(self.sigma)
        return part

    # -- for subclasses ---------------------------------------------------------------------

    def gradient(
        self, images: Tensor, targets: Tensor, change: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The loss of each image, (N,), and its gradient, (N, C, H, W), in float32.

        Args:
            images: (N, C, H, W).
            targets: What the loss compares with.
            change: What is added to the images, where the model can do that part by part.
        """
        free = (images if change is None else change).detach().requires_grad_()
        value = self.value(*((free, targets) if change is None else (images, targets, free)))
        return value.detach(), self.derivative(value.sum(), free).float()

    def value(self, images: Tensor, targets: Tensor, change: Tensor | None = None) -> Tensor:
        """The loss of each image, (N,), differentiable in ``images`` and ``change``."""
        source, sigma = self.source, ordinary(self.sigma)
        if self.loss is None and _adds_up(source):
            with autocast(images, self.autocast):
                added = source(images, sigma, change=change, loss=_error_of(targets))
                return cast(Tensor, added)
        loss: Any = self.loss or squared_error
        if not hasattr(loss, "parts") or not _adds_up(source):
            images = images if change is None else images + change
            return cast(Tensor, loss(self.output(images), targets))
        part = loss.parts(targets)

        def whole(restored: Tensor) -> Tensor:
            last = loss if restored.requires_grad else loss.overwriting
            return cast(Tensor, last(restored.float(), targets))

        with autocast(images, self.autocast):
            added = source(
                images, sigma, change=change, whole=whole,
                loss=lambda some, place: part(some.float(), place),
            )
        return cast(Tensor, added)

    def derivative(self, value: Tensor, images: Tensor) -> Tensor:
        """The gradient of a number with respect to ``images``."""
        found = None
        if value.requires_grad:
            (found,) = torch.autograd.grad(value, images, allow_unused=True)
        if found is None:
            raise InputError(NO_GRADIENT.format(type(self.source).__name__))
        return found

    @property
    def source(self) -> Any:
        """The model whose gradients are taken."""
        return self.model if self.surrogate is None else self.surrogate

    def output(self, images: Tensor) -> Tensor:
        """What is restored, in float32, differentiable in ``images``."""
        source, sigma = self.source, ordinary(self.sigma)
        with autocast(images, self.autocast):
            if getattr(source, "differentiable", True):
                try:
                    return restore(source, images, sigma).float()
                except RuntimeError as error:
                    if "requires grad" not in str(error):  # as numpy() of such a tensor says
                        raise
                    raise InputError(NO_GRADIENT.format(type(source).__name__)) from error
            with torch.no_grad():
                restored = restore(source, images, sigma)
        return straight_through(restored.float(), images)

    def evaluate(self, images: Tensor, targets: Tensor) -> Tensor:
        """The loss of each image, (N,), on the model itself, without a gradient."""
        sigma = ordinary(self.sigma)
        with torch.no_grad(), autocast(images, self.autocast):
            if self.loss is None and _adds_up(self.model):
                return cast(Tensor, self.model(images, sigma, loss=_error_of(targets)))
            restored = restore(self.model, images, sigma)
        return (self.loss or squared_error)(restored.float(), targets)

    def budget(self, inputs: Tensor) -> Tensor:
        """``eps`` of each image, (N, 1, 1, 1)."""
        eps = torch.as_tensor(self.eps, dtype=torch.float32, device=inputs.device)
        return eps.expand(len(inputs)).view(-1, 1, 1, 1)

    def about(self, inputs: Tensor) -> Tensor | None:
        """The images whose `room` perturbations keep to; none unless ``clip`` is ``"project"``."""
        return inputs if self.clip == "project" else None

    def add(self, inputs: Tensor, perturbation: Tensor) -> Tensor:
        """Inputs plus a perturbation, within the range that ``clip`` says, to the last bit."""
        attacked = inputs + perturbation
        if self.clip == "paper":
            return attacked.clamp(0, 1)
        return attacked if self.bounds is None else in_range(attacked, inputs, self.bounds)

    def limit(self, attacked: Tensor, inputs: Tensor) -> Tensor:
        """As in `Attack`; with ``clip="paper"`` about the clamped inputs."""
        if self.clip != "paper":
            return super().limit(attacked, inputs)
        return within(
            attacked, inputs.clamp(0, 1), norm=self.norm, radius=self.radius(inputs)
        )

    # -- torchattacks' own ------------------------------------------------------------------

    def save(
        self,
        data_loader: Iterable[tuple[Tensor, Tensor]],
        save_path: str | Path | None = None,
        verbose: bool = True,
        return_verbose: bool = False,
        save_predictions: bool = False,
        save_clean_inputs: bool = False,
        save_type: str = "float",
    ) -> Any:
        """Attack all batches of (noisy, clean), and save what comes out; as torchattacks' own.

        Args:
            data_loader: Batches of (noisy, clean).
            save_path: File for ``torch.save``, replaced whole; keys as torchattacks has them:
                ``adv_inputs``, ``labels`` (the clean images) and, where asked for, ``preds`` (the
                restored attacked images) and ``clean_inputs`` (the noisy images).
            verbose: Print the mean PSNR of what is restored.
            return_verbose: Return (mean PSNR in dB, mean L2 norm, seconds).
            save_predictions: Keep the restored attacked images as well.
            save_clean_inputs: Keep the noisy images as well.
            save_type: ``"float"`` keeps values as they are; ``"int"`` rounds to 8 bits.
        """
        import time

        if save_type not in ("float", "int"):
            raise InputError(f"save_type is {save_type!r}; expected 'float' or 'int'.")
        kept: dict[str, list[Tensor]] = {"adv_inputs": [], "labels": []}
        quality, norms, start, first = [], [], time.perf_counter(), 0
        for noisy, clean in data_loader:
            attacked = self(noisy, clean, index=first)
            first += len(noisy)
            with torch.no_grad(), frozen(self.model):
                restored = restore(self.model, attacked, self.sigma)
            quality += psnr(restored, clean).tolist()
            norms += (attacked - noisy).flatten(1).norm(dim=1).tolist()
            kept["adv_inputs"].append(attacked.cpu())
            kept["labels"].append(clean.cpu())
            if save_predictions:
                kept.setdefault("preds", []).append(restored.cpu())
            if save_clean_inputs:
                kept.setdefault("clean_inputs", []).append(noisy.cpu())
        seconds = time.perf_counter() - start
        if not quality:
            raise InputError("The data loader is empty; expected batches of (noisy, clean).")
        mean, norm = sum(quality) / len(quality), sum(norms) / len(norms)
        if verbose:
            each = seconds / len(quality)
            print(f"- PSNR: {mean:.2f} dB  L2: {norm:.4f} ({each:.3f} s an image)")  # noqa: T201
        if save_path is not None:
            content: dict[str, Any] = {name: torch.cat(parts) for name, parts in kept.items()}
            if save_type == "int":
                for name in ("adv_inputs", "clean_inputs"):
                    if name in content:
                        content[name] = self.to_type(content[name], "int")
            content["save_type"] = save_type
            with atomic_path(save_path) as temporary:
                torch.save(content, temporary)
        return (mean, norm, seconds) if return_verbose else None

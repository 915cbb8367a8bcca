"""Training a denoiser for the classifiers behind it (Salman et al., arXiv:2003.01908)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from robust_restoration.contracts import Batch, Step, TrainingSet, in_eval_mode
from robust_restoration.data import LabelledImages
from robust_restoration.errors import InputError
from robust_restoration.images.metrics import psnr
from robust_restoration.models.classifiers import input_size, with_unit_range
from robust_restoration.numbers import check_count

from .classification import prepare_batches, share_right
from .denoising import DenoisingDefense


class Stability(DenoisingDefense):
    """After the denoiser D, a frozen classifier f says what it says of the clean image x.

    Minimises KL(f(x) || f(D(x + n))) + mse |D(x + n) - x|^2 (mean over values), with D's output
    clamped to [0, 1] before f. The paper's stability objective (eq. 4) takes the cross-entropy with
    f's class of x; here f's probabilities stand in its place, which need no labels either. With
    several classifiers each step draws one of them, so that D serves such as it has not seen.

    Args:
        classifier: The classifier, or several, with ``pretrained_cfg`` or taking [0, 1]. They are
            copied, in eval mode; those that were given are left as they are.
        sigma: The noise level, or the lowest and highest one; each image draws its own.
        mse: Weight of the mean squared error.
        shift: Labelled images are moved by up to so many pixels each way (4 is usual for 32x32).
        mirror: Mirror half of them.
        patch: Side of the squares that images without labels are cut into; by default that of the
            images that the first classifier takes, or 50 where it does not say.
        **options: As `DenoisingDefense` takes them.

    Raises:
        InputError: If an option makes no sense.

    Example:
        >>> defense = rr.create_defense("stability", classifier=classifier, sigma=0.25)
        >>> images = rr.load_labelled("cifar10:train")
        >>> rr.train(rr.create_denoiser("dncnn_c"), defense, images, steps=10_000)
    """

    needs_labels = False
    trains = "denoiser"

    def __init__(
        self,
        *,
        classifier: nn.Module | Sequence[nn.Module],
        sigma: float | Sequence[float] = 0.25,
        mse: float = 10.0,
        shift: int = 0,
        mirror: bool = False,
        patch: int | None = None,
        **options: Any,
    ) -> None:
        given = [classifier] if isinstance(classifier, nn.Module) else list(classifier)
        if not given or not all(isinstance(one, nn.Module) for one in given):
            raise InputError(
                f"classifier is {classifier!r}; expected a classifier (nn.Module), or several."
            )
        patch = patch or input_size(given[0]) or 50
        super().__init__(sigma=sigma, patch=patch, **options)
        if not mse >= 0:
            raise InputError(f"mse is {mse}; expected a weight of at least 0.")
        self.classifiers = [
            in_eval_mode(with_unit_range(copy.deepcopy(one))).requires_grad_(False)
            for one in given
        ]
        self.mse = mse
        self.shift, self.mirror = check_count("shift", shift, at_least=0), mirror

    def prepare(
        self,
        data: Any,
        *,
        model: nn.Module | None = None,
        val_fraction: float = 0.05,
        progress: bool = True,
    ) -> tuple[TrainingSet, TrainingSet | None]:
        """Whole images of a labelled set, or squares of other images, with noise.

        Args:
            data: `LabelledImages` (see `load_labelled`), whose labels are used for nothing but the
                accuracy in validation; else what `DenoisingDefense` takes.
            model: Decides whether images are made gray or colour.
            val_fraction: The share of the images that is held out.
            progress: Not used: nothing here takes long.
        """
        if not isinstance(data, LabelledImages):
            return super().prepare(
                data, model=model, val_fraction=val_fraction, progress=progress
            )
        training, held = prepare_batches(
            data, model, val_fraction, shift=self.shift, mirror=self.mirror
        )
        return _Noisy(training, self), None if held is None else _Noisy(held, self)

    def loss(self, model: nn.Module, batch: Batch, step: Step) -> tuple[Tensor, dict[str, float]]:
        """KL(clean || restored) between predictions, plus ``mse`` times the squared error."""
        draw = int(torch.randint(len(self.classifiers), (1,), generator=step.generator))
        classifier = self.classifiers[draw].to(batch["clean"].device)
        with torch.no_grad():
            target = classifier(batch["clean"]).float().log_softmax(1)
        restored = self.restore(model, batch["noisy"], batch.get("sigma"))
        said = classifier(restored.clamp(0, 1)).float()
        apart = F.kl_div(said.log_softmax(1), target, reduction="batchmean", log_target=True)
        error = F.mse_loss(restored, batch["clean"])
        figures = {
            "kl": float(apart.detach()), "mse": float(error.detach()),
            "agreement": share_right(said.detach(), target.argmax(1)),
        }
        return apart + self.mse * error, figures

    def validate(self, model: nn.Module, batch: Batch, stage: str) -> dict[str, float]:
        """Agreement with the first classifier's clean predictions, accuracy where labels are known.

        And the PSNR in dB; one draw of the noise an image.
        """
        classifier = self.classifiers[0].to(batch["clean"].device)
        restored = self.restore(model, batch["noisy"], batch.get("sigma"))
        said = classifier(restored.clamp(0, 1)).float()
        found = {"agreement": share_right(said, classifier(batch["clean"]).argmax(1))}
        if "labels" in batch:
            found["accuracy"] = share_right(said, batch["labels"])
        found["psnr"] = float(psnr(restored, batch["clean"]).clamp(max=60).mean())
        return found


class _Noisy:
    """Batches of labelled images, with a defense's noise."""

    def __init__(self, labelled: TrainingSet, defense: Stability) -> None:
        self.labelled, self.defense = labelled, defense

    def __len__(self) -> int:
        return len(self.labelled)

    def fingerprint(self) -> str:
        """A hash of the images."""
        return str(self.labelled.fingerprint())  # type: ignore[attr-defined]

    def batch(self, indices: Tensor, generator: Generator, stage: str) -> Batch:
        """``clean``, ``noisy``, ``sigma`` and ``labels`` of the samples at ``indices``."""
        made = self.labelled.batch(indices, generator, stage)
        clean = made["images"]
        return {"clean": clean, **self.defense.observe(clean, generator), "labels": made["labels"]}

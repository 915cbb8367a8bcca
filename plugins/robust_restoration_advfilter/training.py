"""Two-stage training of the pixel-wise purifiers.

Stage 1 trains the filtering (AdvFilter, section 4.2): the first decoder on small strengths, clean
images among them, the second on the others, so that there is something to choose between. The last
stage freezes them and trains the fusion net on what comes out. Both compare what the attacked
classifier says of the purified image with what it says of the clean one, so that no labels are
needed, and with several classifiers the purifier is for none of them in particular.

Beyond the paper, a stage between the two tells the fusion net's detector which images are attacked:
what comes out says so too faintly for it to learn by. That needs no classifier, so that a step
costs little. Purifiers without a fusion net have stage 1 alone, on all strengths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.optim import Adam, Optimizer

from robust_restoration.contracts import Batch, Defense, Stage, Step, TrainingSet, in_eval_mode
from robust_restoration.errors import InputError, did_you_mean
from robust_restoration.models.classifiers import with_unit_range

from .augmentation import photographic
from .clean_images import clean_images
from .grain import fine_grain
from .pairs import ATTACKS, EPSILONS, make_pairs

# Below it, rounding to 8 bits gives the clean image back.
ROUNDED_AWAY = 1 / 510
DETECTOR_LR = 4.0  # times the filters': unlike them it has batch norm, and few steps


class AdvFilterTraining(Defense):
    """Trains a purifier on pairs of clean and attacked images of one or several classifiers.

    Args:
        classifier: The bare classifier that the images are attacked on, or several.
        image: Weight of the image-level loss, mean |clean - purified| (eq. 4).
        semantic: Weight of the semantic loss; 0 for the paper's L1-only recipe. It is
            KL / (1 + KL) of the predicted probabilities, purified from clean: saturated, so that
            the images that nothing saves do not drown the others.
        layer: A module that every classifier has; the semantic loss then is the paper's, mean
            |phi_l(clean) - phi_l(purified)| of its output (eq. 5).
        small_up_to: The largest eps that AdvFilter's first decoder is trained on.
        large_from: The smallest that the second is trained on. What is for both trains one of
            them, drawn at random. The paper: 0.5 and 0.1.
        detector_share: The share of the steps spent on the detector, if there is one.
        fusion_share: The share spent on the fusion net.
        attacks: What the images are attacked with; see `make_pairs`.
        epsilons: The eps they are attacked with.
        attack_steps: Steps of an attack.
        per_image: How many attacked images each image gives for each classifier.
        augment: Whether images are made various by `photographic` before they are attacked; or a
            module of one's own that does it.
        clean_share: The share of the images that are not attacked, in stage 1.
        fusion_clean_share: The same in the last stage, which decides what a purifier costs on clean
            images: most of what a classifier sees is not attacked.
        autocast: ``"bf16"`` attacks in bfloat16.
        cache: Where attacked images are kept; the user's cache folder by default.
        seed: Of the attacks and of the split into training and validation.
    """

    needs_labels = False

    def __init__(
        self,
        *,
        classifier: nn.Module | Sequence[nn.Module],
        image: float = 0.2,
        semantic: float = 0.1,
        layer: str = "",
        small_up_to: float = ROUNDED_AWAY,
        large_from: float = ROUNDED_AWAY,
        detector_share: float = 0.4,
        fusion_share: float = 0.1,
        attacks: Sequence[str] | Mapping[str, float] = ATTACKS,
        epsilons: Sequence[float] = EPSILONS,
        attack_steps: int = 10,
        per_image: int = 1,
        augment: bool | nn.Module = False,
        clean_share: float = 0.35,
        fusion_clean_share: float = 0.5,
        autocast: str | None = None,
        cache: Path | str | None = None,
        seed: int = 0,
    ) -> None:
        if image < 0 or semantic < 0 or image + semantic == 0:
            raise InputError(
                f"image is {image} and semantic {semantic}; expected weights of at least 0, "
                "not both 0."
            )
        if min(detector_share, fusion_share, 1 - detector_share - fusion_share) < -1e-9:
            raise InputError(
                f"detector_share is {detector_share:g} and fusion_share {fusion_share:g}; expected "
                "shares of at least 0 that add up to at most 1."
            )
        if large_from > small_up_to and any(small_up_to < e < large_from for e in epsilons):
            raise InputError(
                f"No decoder is trained on what lies between small_up_to={small_up_to:g} and "
                f"large_from={large_from:g}; expected them to meet, or no epsilons between."
            )
        self.bare = [classifier] if isinstance(classifier, nn.Module) else list(classifier)
        if not self.bare:
            raise InputError("classifier is an empty list; expected one or several modules.")
        self.classifiers = [
            in_eval_mode(with_unit_range(c)).requires_grad_(False) for c in self.bare
        ]
        self.image, self.semantic = image, semantic
        self.layers = [_layer(c, layer) for c in self.bare]
        self.small_up_to, self.large_from = small_up_to, large_from
        self.detector_share, self.fusion_share = detector_share, fusion_share
        self.augment = augment
        self.plan: dict[str, Any] = {
            "attacks": attacks, "epsilons": epsilons, "steps": attack_steps,
            "per_image": per_image, "autocast": autocast, "cache": cache, "seed": seed,
        }
        self.clean_share, self.fusion_clean_share = clean_share, fusion_clean_share
        self.seed = seed

    def prepare(
        self,
        data: Any,
        *,
        model: nn.Module | None = None,
        val_fraction: float = 0.05,
        progress: bool = True,
    ) -> tuple[TrainingSet, TrainingSet | None]:
        """Attack the images, or read them from the cache, and hold some out for validation.

        Args:
            data: One set of images or a list of several: labelled images or (N, C, H, W), as
                `make_pairs` takes them; or a folder, an image file or a data set's name, whose
                images are brought to the classifier's size. Labels are not used. A `TrainingSet`
                is left as it is.
            model: Not used: images have the classifier's channels.
            val_fraction: The share of the images that is held out.
            progress: Show a progress bar.
        """
        if isinstance(data, TrainingSet):
            return data, None
        sets = [clean_images(part, self.bare[0]) for part in _several(data)]
        augment = self.augment
        if augment is True:
            augment = photographic(min(min(part.shape[-2:]) for part in sets))
        pairs = make_pairs(
            self.bare, sets, augment=augment or None, progress=progress, **self.plan
        )
        pairs.clean_share, pairs.fusion_clean_share = self.clean_share, self.fusion_clean_share
        count = int(pairs.images.max()) + 1
        order = torch.randperm(count, generator=torch.Generator().manual_seed(self.seed))
        held = order[: round(count * val_fraction)]
        training, validation = pairs.split(held)
        return training, validation if len(held) else None

    def stages(self, model: nn.Module) -> tuple[Stage, ...]:
        """``filters``, then ``detector`` and ``fusion`` where there is something to fuse."""
        fusion = getattr(model, "fusion", None)
        shares = {
            "detector": 0.0 if getattr(fusion, "detector", None) is None else self.detector_share,
            "fusion": 0.0 if fusion is None else self.fusion_share,
        }
        shares = {"filters": round(1 - sum(shares.values()), 9), **shares}
        stages = (
            Stage("filters", shares["filters"], parameters=_parameters("net")),
            Stage(
                "detector", shares["detector"], lr=DETECTOR_LR,
                parameters=_parameters("fusion.detector"),
            ),
            Stage("fusion", shares["fusion"], parameters=_parameters("fusion.layers")),
        )
        return tuple(stage for stage in stages if stage.share)

    def optimizer(self, parameters: Iterable[nn.Parameter], lr: float) -> Optimizer:
        """Adam with the paper's betas."""
        return Adam(parameters, lr=lr, betas=(0.5, 0.999))

    def loss(self, model: nn.Module, batch: Batch, step: Step) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch of `AdversarialPairs`."""
        attacked, eps, stage = batch["attacked"], batch["eps"], step.stage
        if stage == "detector":
            return self._detector_loss(model, batch), {}
        chosen: dict[str, Tensor] = {}
        if stage == "fusion" and getattr(model.fusion, "detector", None) is not None:
            model.fusion.detector.eval()  # type: ignore[union-attr]  # its statistics are done
        if stage == "filters" and hasattr(model, "fusion"):
            chosen["weight"] = self._decoders(eps, step.generator)
        found = _outputs(model, attacked, **chosen)
        total = attacked.new_zeros(())
        figures: dict[str, float] = {}
        for name, (restored, rows) in _parts(found, eps).items():
            if not bool(rows.any()):
                continue
            part = {k: v[rows] for k, v in batch.items() if v.ndim}
            restored = restored[rows]
            loss = self.image * (restored - part["clean"]).abs().mean()
            if self.semantic:
                loss = loss + self.semantic * self._change(restored, part).mean()
            figures[name] = float(loss.detach())
            total = total + loss
        return total, figures if len(figures) > 1 else {}

    def _detector_loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Of each clean image and of its attacked copy, unless rounding brings that back."""
        clean, attacked = (model.rounded(batch[n]) for n in ("clean", "attacked"))  # type: ignore[operator]
        other = (clean != attacked).flatten(1).any(dim=1) & (batch["eps"] > self.small_up_to)
        grain = fine_grain(torch.cat([clean, attacked[other]]))
        logits = model.fusion.detector(grain)  # type: ignore[union-attr, operator]
        as_taken = torch.arange(len(logits), device=logits.device) < len(clean)
        return F.binary_cross_entropy_with_logits(logits.float(), as_taken.float())

    def _decoders(self, eps: Tensor, generator: Generator) -> Tensor:
        """(N, 1, 1, 1): 1 for the images that train the first decoder, 0 for the second's."""
        small, large = eps <= self.small_up_to * 1.001, eps >= self.large_from * 0.999
        drawn = torch.rand(len(eps), generator=generator).to(eps.device) < 0.5
        return torch.where(small & large, drawn, small).float().view(-1, 1, 1, 1)

    def _change(self, restored: Tensor, part: Batch) -> Tensor:
        """How far each image is from its clean one, for the classifier it was attacked on."""
        found = restored.new_zeros(len(restored), dtype=torch.float32)
        for number, classifier in enumerate(self.classifiers):
            rows = (part["classifier"] == number).nonzero()[:, 0]
            if not len(rows):
                continue
            if self.layers[number]:
                with torch.no_grad():
                    expected = _features(classifier, self.layers[number], part["clean"][rows])
                seen = _features(classifier, self.layers[number], restored[rows])
                change = (seen - expected).abs().flatten(1).mean(dim=1)
            else:
                seen = classifier(restored[rows]).float().log_softmax(dim=1)
                kl = F.kl_div(seen, part["expected"][rows], reduction="none", log_target=True)
                kl = kl.sum(dim=1)
                change = kl / (1 + kl)
            found = found.index_put((rows,), change)
        return found

    def validate(self, model: nn.Module, batch: Batch, stage: str) -> dict[str, float]:
        """How many predictions are as on the clean image, and the mean absolute error.

        Of clean images, ``kept_clean``; of attacked ones, ``kept``; each as a share of the batch,
        and ``clean`` the share that is clean. For AdvFilter, the first decoder's weight on both.
        """
        with torch.no_grad():
            return self._validate(model, batch)

    def _validate(self, model: nn.Module, batch: Batch) -> dict[str, float]:
        found = _outputs(model, batch["attacked"])
        restored = found["out"].clamp(0, 1)
        right = torch.zeros(len(restored), device=restored.device)
        for number, classifier in enumerate(self.classifiers):
            rows = batch["classifier"] == number
            if bool(rows.any()):
                said = classifier(restored[rows]).argmax(dim=1)
                right[rows] = (said == batch["expected"][rows].argmax(dim=1)).float()
        clean = (batch["eps"] == 0).float()
        figures = {
            "kept": float(right.mean()),
            "mae": float((restored - batch["clean"]).abs().mean()),
            "clean": float(clean.mean()),
            "kept_clean": float((right * clean).mean()),
        }
        if "weight" in found:
            weight = found["weight"].float().mean(dim=(1, 2, 3))
            figures["weight"] = float(weight.mean())
            figures["weight_clean"] = float((weight * clean).mean())
        return figures


def _parameters(part: str) -> Callable[[nn.Module], Iterable[nn.Parameter]]:
    """Those of a part; all of a purifier that has no such part."""

    def of(model: nn.Module) -> Iterable[nn.Parameter]:
        has = hasattr(model, part.split(".")[0])
        return (model.get_submodule(part) if has else model).parameters()

    return of


def _outputs(model: nn.Module, images: Tensor, **chosen: Tensor) -> dict[str, Tensor]:
    """What a purifier makes of images, by name: a purifier of another plugin has one output."""
    outputs = getattr(model, "outputs", None)
    return {"out": model(images)} if outputs is None else outputs(images, **chosen)


def _several(data: Any) -> list[Any]:
    one = isinstance(data, Tensor | str | Path) or hasattr(data, "clean") or hasattr(data, "images")
    return [data] if one else list(data)


def _parts(found: dict[str, Tensor], eps: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Which output is trained on which rows of the batch."""
    if "head_1" in found:  # head i: eps from 10^(i-5) up to 5 * 10^(i-5)
        return {
            f"head_{i}": (
                found[f"head_{i}"],
                (eps > 0.9 * 10.0 ** (i - 5)) & (eps < 5.1 * 10.0 ** (i - 5)),
            )
            for i in range(1, 5)
        }
    return {"out": (found["out"], torch.ones_like(eps, dtype=torch.bool))}


def _features(classifier: nn.Module, layer: str, images: Tensor) -> Tensor:
    kept: list[Tensor] = []
    module = classifier.get_submodule(layer)
    handle = module.register_forward_hook(lambda _m, _i, output: kept.append(output))
    try:
        classifier(images)
    finally:
        handle.remove()
    return kept[0].float()


def _layer(classifier: nn.Module, layer: str) -> str:
    if not layer:
        return ""
    names = [name for name, _ in classifier.named_modules() if name]
    if layer not in names:
        raise InputError(f"The classifier has no layer {layer!r}. {did_you_mean(layer, names)}")
    wrapped = with_unit_range(classifier) is not classifier
    return f"classifier.{layer}" if wrapped else layer

"""Two-stage training of the pixel-wise purifiers.

Stage 1 trains the filtering (AdvFilter, section 4.2): the first decoder on every strength, the
second on ``median_strengths`` only. Stage 2 freezes them and trains the fusion net with the
classifier's error on its output. Purifiers without a fusion net have stage 1 alone. Beyond the
paper, a purifier with a gate has a last stage, in which the gate learns to tell attacked images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from robust_restoration.contracts import Batch, Defense, Stage, Step, TrainingSet
from robust_restoration.data import LabelledImages, load_labelled
from robust_restoration.errors import InputError
from robust_restoration.models.classifiers import input_channels, with_unit_range

from .camera_noise import with_camera_noise
from .colour_detail import with_colour_detail
from .mosaics import make_mosaics
from .pairs import STRENGTHS, make_pairs
from .sharpness import with_sharpness

# The paper trains the second decoder on these; ours on strengths a purifier can still mend.
PAPER_MEDIAN = (0.1, 0.3, 0.5)
MEDIAN = (1e-3, 3e-3, 5e-3, 1e-2, 3e-2)
GATE_LR = 8.0  # times the filters': unlike them it has batch norm, and far fewer steps


class AdvFilterTraining(Defense):
    """Trains a purifier on pairs of clean and attacked images of a classifier.

    Args:
        classifier: The bare classifier the images were attacked on.
        image: Weight of the image-level loss, mean |clean - purified| (eq. 4).
        semantic: Weight of the semantic loss; 0 for the paper's L1-only recipe.
        distance: What the semantic loss is: ``"kl"``, the Kullback-Leibler divergence KL of the
            predicted probabilities, purified from clean; ``"saturated-kl"``, KL / (1 + KL), which
            keeps the images that nothing saves from drowning the others; or ``"l1"``, mean
            |phi_l(clean) - phi_l(purified)| (eq. 5), the paper's. Over a thousand classes the
            latter hardly sees the few logits that an attack moves.
        semantic_up_to: The largest eps at which the semantic loss and the fusion's loss are
            taken. Beyond, nothing brings the semantics back, and the gradients of trying
            would drown all others.
        small_up_to: The same for AdvFilter's first decoder, which shall leave clean images alone;
            the second is there for what lies between.
        layer: The classifier's module whose output is compared with ``"l1"``; the logits by
            default.
        median_strengths: What the second decoder is trained on; the paper: 0.1, 0.3, 0.5.
        fusion_share: The share of the steps spent on stage 2.
        fusion_loss: ``"error"``, the probability that the classifier gives to wrong classes; or
            ``"cross-entropy"``, the paper's, in which the few images that nothing saves outweigh
            the rest: it drove the weight to the second decoder everywhere, clean images included.
        gate_share: The same for the gate's stage, of a purifier that has one.
        strengths: The eps of the attacked images.
        per_image: How many of them each image gets; ``None`` for all.
        attack: What the images are attacked with.
        attack_steps: Its steps.
        flip: Flip images at random, which also weakens the attacks (see `AdversarialPairs`).
        crop: Train on random squares of this side, which is cheaper, and likewise: with both, at
            128 of 224 pixels, an AdvFilter for ImageNet unlearnt to filter.
        mosaics: How many mosaics of images made smaller are trained on beside the images; see
            `make_mosaics`.
        sharpness: Make each image softer or sharper first, by an amount between these two; see
            `with_sharpness`. ``None`` leaves them alone.
        colour_detail: Then make its colours finer, by an amount between these two; see
            `with_colour_detail`. ``None`` leaves them alone.
        camera_noise: Then add noise, by a standard deviation between 0 and this; see
            `with_camera_noise`.
        clean_share: The share of the images that are not attacked, in stage 1.
        fusion_clean_share: The same in stage 2, which decides what a purifier costs on clean
            images: most of what a classifier sees is not attacked.
        cache: Where attacked images are kept; the user's cache folder by default.
        seed: Of the attacks and of the split into training and validation.
    """

    def __init__(
        self,
        *,
        classifier: nn.Module,
        image: float = 0.2,
        semantic: float = 0.05,
        distance: str = "kl",
        semantic_up_to: float = 0.05,
        small_up_to: float = 5e-3,
        layer: str = "",
        median_strengths: Iterable[float] = MEDIAN,
        fusion_share: float = 0.25,
        fusion_loss: str = "error",
        gate_share: float = 0.2,
        strengths: Sequence[float] = STRENGTHS,
        per_image: int | None = None,
        attack: str = "torchattacks/pgd",
        attack_steps: int = 40,
        flip: bool = False,
        crop: int | None = None,
        mosaics: int = 0,
        sharpness: tuple[float, float] | None = None,
        colour_detail: tuple[float, float] | None = None,
        camera_noise: float = 0.0,
        clean_share: float = 0.2,
        fusion_clean_share: float = 0.5,
        cache: Path | str | None = None,
        seed: int = 0,
    ) -> None:
        if image < 0 or semantic < 0 or image + semantic == 0:
            raise InputError(
                f"image is {image} and semantic {semantic}; expected weights of at least 0, "
                "not both 0."
            )
        if distance not in ("kl", "saturated-kl", "l1") or (distance != "l1" and layer):
            raise InputError(
                f"distance is {distance!r} and layer {layer!r}; expected 'l1' with any layer, or "
                "'kl' or 'saturated-kl', which compare predictions and take no layer."
            )
        if fusion_loss not in ("error", "cross-entropy"):
            raise InputError(
                f"fusion_loss is {fusion_loss!r}; expected 'error' or 'cross-entropy'."
            )
        self.distance, self.fusion_loss = distance, fusion_loss
        self.bare = classifier
        self.classifier = with_unit_range(classifier).eval().requires_grad_(False)
        self.image, self.semantic = image, semantic
        self.semantic_up_to, self.small_up_to = semantic_up_to, small_up_to
        self.layer = _layer(classifier, layer)
        self.median = tuple(median_strengths)
        self.fusion_share, self.gate_share = fusion_share, gate_share
        self.strengths, self.per_image = tuple(strengths), per_image
        self.attack, self.attack_steps = attack, attack_steps
        self.flip, self.crop = flip, crop
        self.mosaics = mosaics
        self.sharpness, self.colour_detail = sharpness, colour_detail
        self.camera_noise = camera_noise
        self.clean_share, self.fusion_clean_share = clean_share, fusion_clean_share
        self.cache, self.seed = cache, seed

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
            data: Anything `robust_restoration.load_labelled` takes, or a `TrainingSet`, which is
                left as it is.
            model: Not used: images have the classifier's channels.
            val_fraction: The share of the images that is held out.
            progress: Show a progress bar.
        """
        if isinstance(data, TrainingSet):
            return data, None
        if not isinstance(data, LabelledImages):
            data = load_labelled(data, channels=input_channels(self.bare) or 3)
        held = round(len(data) * val_fraction)
        order = torch.randperm(len(data), generator=torch.Generator().manual_seed(self.seed))
        held_out, trained_on = order[:held], order[held:]
        if self.mosaics:
            # Of what is trained on alone, so that nothing held out is seen.
            made = make_mosaics(
                data.subset(trained_on), self.mosaics, classifier=self.classifier, seed=self.seed
            )
            trained_on = torch.cat([trained_on, len(data) + torch.arange(len(made))])
            data = LabelledImages(
                torch.cat([data.images, made.images]), torch.cat([data.labels, made.labels]),
                data.damaged, data.name,
            )
        if self.sharpness is not None:
            data = with_sharpness(data, *self.sharpness, seed=self.seed)
        if self.colour_detail is not None:
            # Amounts of their own: with the same seed the sharpest were also the most colourful.
            data = with_colour_detail(data, *self.colour_detail, seed=self.seed + 1)
        if self.camera_noise:
            data = with_camera_noise(data, self.camera_noise, seed=self.seed + 2)
        pairs = make_pairs(
            self.bare,
            data,
            strengths=self.strengths,
            per_image=self.per_image,
            attack=self.attack,
            steps=self.attack_steps,
            cache=self.cache,
            seed=self.seed,
            progress=progress,
        )
        pairs.clean_share, pairs.fusion_clean_share = self.clean_share, self.fusion_clean_share
        training = pairs.subset(trained_on)
        training.flip, training.crop = self.flip, self.crop
        return training, pairs.subset(held_out) if held else None

    def stages(self, model: nn.Module) -> tuple[Stage, ...]:
        """``filters``, then ``fusion`` and ``gate`` where there is something to fuse, or a gate."""
        fusion = self.fusion_share if hasattr(model, "fusion") else 0.0
        gate = self.gate_share if getattr(model, "gate", None) is not None else 0.0
        filters = round(1 - fusion - gate, 9)  # 1 - 0.9 - 0.1 is below 0
        if min(filters, fusion, gate) < 0:
            raise InputError(
                f"fusion_share is {fusion:g} and gate_share {gate:g}; expected shares of at "
                f"least 0 "
                "that add up to at most 1."
            )
        stages = (
            Stage("filters", filters, parameters=_parameters("net")),
            Stage("fusion", fusion, parameters=_parameters("fusion")),
            Stage("gate", gate, lr=GATE_LR, parameters=_parameters("gate")),
        )
        return tuple(stage for stage in stages if stage.share)

    def optimizer(self, parameters: Iterable[nn.Parameter], lr: float) -> Optimizer:
        """Adam with the paper's betas."""
        return Adam(parameters, lr=lr, betas=(0.5, 0.999))

    def loss(self, model: nn.Module, batch: Batch, step: Step) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch of `AdversarialPairs`."""
        stage = step.stage
        if stage == "gate":
            return _gate_loss(model, batch), {}
        found = _outputs(model, batch["attacked"])
        if stage == "fusion":
            logits = self.classifier(found["out"]).float()
            each = F.cross_entropy(logits, batch["label"], reduction="none")
            if self.fusion_loss == "error":
                each = 1 - torch.exp(-each)
            within = batch["eps"] <= self.semantic_up_to * 1.001
            return (each * within).sum() / within.sum().clamp(min=1), {}
        clean, eps = batch["clean"], batch["eps"]
        features = None
        if self.semantic:
            with torch.no_grad():
                features = self._features(clean)
        total = clean.new_zeros(())
        figures: dict[str, float] = {}
        for name, (restored, rows) in self._parts(found, eps).items():
            if not bool(rows.any()):
                continue
            loss = self.image * (restored[rows] - clean[rows]).abs().mean()
            limit = self.small_up_to if name == "small_large" else self.semantic_up_to
            both = rows & (eps <= limit * 1.001)
            if features is not None and bool(both.any()):
                # A mean over all rows, so that the term's weight does not depend on the draw.
                change = self._change(self._features(restored[both]), features[both])
                loss = loss + self.semantic * change.sum() / rows.sum()
            figures[name] = float(loss.detach())
            total = total + loss
        return total, figures

    def _parts(
        self, found: dict[str, Tensor], eps: Tensor
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Which output is trained on which rows of the batch."""
        every = torch.ones_like(eps, dtype=torch.bool)
        if "median" in found:
            chosen = torch.isclose(
                eps[:, None], torch.tensor(self.median, device=eps.device)[None]
            ).any(dim=1)
            return {
                "small_large": (found["small_large"], every),
                "median": (found["median"], chosen),
            }
        if "head_1" in found:  # head i: eps from 10^(i-5) up to 5 * 10^(i-5)
            return {
                f"head_{i}": (
                    found[f"head_{i}"],
                    (eps > 0.9 * 10.0 ** (i - 5)) & (eps < 5.1 * 10.0 ** (i - 5)),
                )
                for i in range(1, 5)
            }
        return {"out": (found["out"], every)}

    def _change(self, found: Tensor, expected: Tensor) -> Tensor:
        """How far features are from the clean image's, one number an image."""
        if self.distance == "l1":
            return (found - expected).abs().flatten(1).mean(dim=1)
        target = expected.log_softmax(dim=1)
        kl = F.kl_div(found.log_softmax(dim=1), target, reduction="none", log_target=True).sum(1)
        return kl / (1 + kl) if self.distance == "saturated-kl" else kl

    def _features(self, images: Tensor) -> Tensor:
        if not self.layer:
            return self.classifier(images).float()
        kept: list[Tensor] = []
        module = self.classifier.get_submodule(self.layer)
        handle = module.register_forward_hook(lambda _m, _i, output: kept.append(output))
        try:
            self.classifier(images)
        finally:
            handle.remove()
        return kept[0].float()

    def validate(self, model: nn.Module, batch: Batch, stage: str) -> dict[str, float]:
        """Accuracy on clean and attacked images after purifying, and the mean absolute error."""
        restored = model(batch["attacked"])
        right = (self.classifier(restored).argmax(dim=1) == batch["label"]).float()
        return {
            "accuracy": float(right.mean()),
            "mae": float((restored - batch["clean"]).abs().mean()),
        }


def _parameters(part: str) -> Callable[[nn.Module], Iterable[nn.Parameter]]:
    """Those of the predicting net, the fusion net or the gate; all of a purifier without."""
    return lambda model: (model.get_submodule(part) if hasattr(model, part) else model).parameters()


def _outputs(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """What a purifier makes of images, by name: a purifier of another plugin has one output."""
    outputs = getattr(model, "outputs", None)
    return {"out": model(images)} if outputs is None else outputs(images)


def _gate_loss(model: nn.Module, batch: Batch) -> Tensor:
    """Each clean image is one that is not attacked, beside the attacked ones.

    Those that rounding to ``input_bits`` brings back are not asked for.
    """
    clean, attacked = (model.rounded(batch[name]) for name in ("clean", "attacked"))  # type: ignore[operator]
    changed = (clean != attacked).flatten(1).any(dim=1)
    logits = model.gate(torch.cat([clean, attacked[changed]]))  # type: ignore[operator]
    expected = torch.cat([torch.zeros(len(clean)), torch.ones(int(changed.sum()))]).to(logits)
    return F.binary_cross_entropy_with_logits(logits, expected)


def _layer(classifier: nn.Module, layer: str) -> str:
    if not layer:
        return ""
    names = [name for name, _ in classifier.named_modules() if name]
    if layer not in names:
        from robust_restoration.errors import did_you_mean

        raise InputError(f"The classifier has no layer {layer!r}. {did_you_mean(layer, names)}")
    wrapped = with_unit_range(classifier) is not classifier
    return f"classifier.{layer}" if wrapped else layer

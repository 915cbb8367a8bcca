"""Attacked images of classifiers, made once and kept in a cache folder.

A purifier that shall stand in front of any classifier has to see the attacks of several, and
several attacks of each. No labels are needed: an image is attacked away from what the classifier
says of it. The cache has a folder a classifier, in it shards that are written whole, so that after
an interruption only the missing ones are made, and another training finds what it shares with this.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Generator, Tensor, nn

from robust_restoration.contracts import Batch
from robust_restoration.data import LabelledImages
from robust_restoration.errors import InputError
from robust_restoration.files import atomic_path, cache_folder, write_json
from robust_restoration.models.classifiers import classifier_name, with_unit_range
from robust_restoration.models.create import create_attack
from robust_restoration.models.precision import autocast as autocast_to
from robust_restoration.processes import Processes

from .clean_images import as_bytes
from .rows import Rows

# The paper's twelve: {1, 3, 5} * 10^-m for m = 4, 3, 2, 1.
PAPER_EPSILONS = tuple(float(f"{digit}e-{power}") for power in (4, 3, 2, 1) for digit in (1, 3, 5))
# What rounding to 8 bits does not undo, up to what no filter mends.
EPSILONS = (2e-3, 2.5e-3, 3e-3, 4e-3, 6e-3, 8e-3, 1e-2, 1.5e-2, 2e-2, 3e-2, 5e-2)
# How often each is drawn: the usual one mostly, beside those whose noise is of another kind.
ATTACKS = {
    "torchattacks/pgd": 0.4,
    "torchattacks/mifgsm": 0.15,
    "torchattacks/difgsm": 0.1,
    "torchattacks/tifgsm": 0.1,
    "torchattacks/pgdl2": 0.15,
    "torchattacks/fgsm": 0.1,
}
COLOUR_ONLY = ("torchattacks/tifgsm",)  # torchattacks smooths gradients of three channels
SHARD = 96
# What gets the same attack and eps: eight photographs, more of smaller images, which cost less
# each when they are many, and at most so many that a shard has several attacks.
PIXELS_TOGETHER, IMAGES_TOGETHER = 8 * 224**2, 64
PART = 256  # images that are hashed at a time
PARTS = ("clean", "perturbations", "epsilons", "log_probabilities")
# A shard: of which classifier, from which image on, counted over all sets, these, and its file.
Job = tuple[int, int, Tensor, Path]


class AdversarialPairs:
    """Clean and attacked images, as `robust_restoration.train` draws them.

    What is large may lie in files, as `Rows`, of which a batch reads its own.

    Attributes:
        clean: (P, C, H, W) uint8; ``clean[:]`` reads all.
        perturbations: (P, C, H, W) float16, attacked minus clean; likewise.
        epsilons: (P,) the eps of each.
        log_probabilities: (P, classes) what the attacked classifier says of the clean image;
            likewise.
        classifiers: (P,) which classifier was attacked.
        images: (P,) which image it was made of.
        clean_share: The share of a batch's images that are left clean.
        fusion_clean_share: The same in the stage ``fusion``.
    """

    def __init__(
        self,
        clean: Tensor | Rows,
        perturbations: Tensor | Rows,
        epsilons: Tensor,
        log_probabilities: Tensor | Rows,
        classifiers: Tensor,
        images: Tensor,
        *,
        clean_share: float = 0.3,
        fusion_clean_share: float = 0.5,
    ) -> None:
        self.clean, self.perturbations, self.epsilons = clean, perturbations, epsilons
        self.log_probabilities = log_probabilities
        self.classifiers, self.images = classifiers, images
        self.clean_share, self.fusion_clean_share = clean_share, fusion_clean_share

    def __len__(self) -> int:
        return len(self.clean)

    def subset(self, indices: Tensor) -> AdversarialPairs:
        """The pairs at ``indices``."""
        return AdversarialPairs(
            _chosen(self.clean, indices),
            _chosen(self.perturbations, indices),
            self.epsilons[indices],
            _chosen(self.log_probabilities, indices),
            self.classifiers[indices],
            self.images[indices],
            clean_share=self.clean_share,
            fusion_clean_share=self.fusion_clean_share,
        )

    def split(self, held_out: Tensor) -> tuple[AdversarialPairs, AdversarialPairs]:
        """The pairs of other images than ``held_out``, and those of them."""
        held = torch.isin(self.images, held_out)
        return self.subset((~held).nonzero()[:, 0]), self.subset(held.nonzero()[:, 0])

    def fingerprint(self) -> str:
        """A short hash of all pairs, by which a run that goes on knows them again."""
        digest = hashlib.sha256(f"{self.clean_share} {self.fusion_clean_share}".encode())
        for name in (*PARTS, "classifiers", "images"):
            part = getattr(self, name)
            digest.update(part.described() if isinstance(part, Rows) else _bytes(part))
        return digest.hexdigest()[:16]

    def batch(self, indices: Tensor, generator: Generator, stage: str) -> Batch:
        """``clean`` and ``attacked`` (B, C, H, W), ``eps``, ``classifier``, ``expected`` (B, ...).

        ``expected`` are log-probabilities. Some are left clean, with an eps of 0.
        """
        shares = {"fusion": self.fusion_clean_share, "detector": 0.0}  # it sees both of each
        share = shares.get(stage, self.clean_share)
        left_clean = torch.rand(len(indices), generator=generator) < share
        clean = self.clean[indices].float() / 255
        delta = self.perturbations[indices].float()
        delta[left_clean] = 0
        return {
            "clean": clean,
            "attacked": (clean + delta).clamp(0, 1),
            "eps": torch.where(left_clean, 0.0, self.epsilons[indices]),
            "classifier": self.classifiers[indices],
            "expected": self.log_probabilities[indices].float(),
        }


def _bytes(part: Tensor) -> bytes:
    return f"{part.dtype} {tuple(part.shape)} ".encode() + part.contiguous().numpy().tobytes()


def _chosen(part: Tensor | Rows, indices: Tensor) -> Tensor | Rows:
    return part.take(indices) if isinstance(part, Rows) else part[indices]


def make_pairs(
    classifiers: nn.Module | Sequence[nn.Module],
    data: LabelledImages | Tensor | Sequence[LabelledImages | Tensor],
    *,
    attacks: Sequence[str] | Mapping[str, float] = ATTACKS,
    epsilons: Sequence[float] = EPSILONS,
    per_image: int = 1,
    steps: int = 10,
    augment: nn.Module | None = None,
    autocast: str | None = None,
    cache: Path | str | None = None,
    seed: int = 0,
    progress: bool = True,
) -> AdversarialPairs:
    """Attack every image on every classifier, or read from the cache what was made before.

    Args:
        classifiers: One or several bare classifiers; the normalisation of each is read from its
            ``pretrained_cfg``.
        data: One or several sets of clean images, whose labels, if they have any, are not used;
            tensors are (N, C, H, W), uint8 or in [0, 1].
        attacks: Names, or names and how often each is drawn. An attack takes ``eps``, and may take
            ``alpha`` and ``steps``. Those that work in colour only are left out of the usual ones
            for images of other channels.
        epsilons: The eps that are drawn from, as fractions of [0, 1]. For an attack in L2 it is the
            root mean square of the change of a value.
        per_image: How many attacked images each image gives for each classifier.
        steps: Steps of an attack; together they are 2 eps long.
        augment: Applied to the images before they are attacked, such as
            `robust_restoration_advfilter.augmentation.photographic`: (N, C, H, W) in [0, 1] to
            the same, of any one size. Its result is rounded to 8 bits.
        autocast: ``"bf16"`` attacks in bfloat16; see `robust_restoration.models.precision`.
        cache: The cache folder; the user's own by default.
        seed: Of everything random.
        progress: Show a progress bar.

    Several processes (``accelerate launch``, ``torchrun``) share the shards that are not there yet,
    and all read the same cache then; what a process that died did not make is made by the next run.

    Raises:
        InputError: If there is nothing to draw from.
    """
    processes = Processes()
    classifiers = [classifiers] if isinstance(classifiers, nn.Module) else list(classifiers)
    sets = [data] if isinstance(data, LabelledImages | Tensor) else list(data)
    tensors = [as_bytes(part) for part in sets]
    weights = dict(attacks) if isinstance(attacks, Mapping) else dict.fromkeys(attacks, 1.0)
    if attacks is ATTACKS and any(part.shape[1] != 3 for part in tensors):
        weights = {name: weights[name] for name in weights if name not in COLOUR_ONLY}
    epsilons = sorted(epsilons)
    if not (classifiers and weights and epsilons and per_image > 0 and epsilons[0] > 0):
        raise InputError(
            f"make_pairs got {len(classifiers)} classifiers, {len(weights)} attacks, epsilons "
            f"{epsilons} and per_image={per_image}; expected at least one of each, above 0."
        )
    plan: dict[str, Any] = {
        "attacks": weights,
        "epsilons": epsilons,
        "per_image": per_image,
        "steps": steps,
        "augment": repr(augment),
        "autocast": autocast,
        "seed": seed,
    }
    jobs: list[Job] = []
    for number, classifier in enumerate(classifiers):
        first = 0
        for images in tensors:
            about = {
                "classifier": classifier_name(classifier),
                "weights": hash_of_weights(classifier),
                "data": hash_of_images(images),
                **plan,
                # Attacks and eps are drawn for a group at a time, and seeded for a shard: with
                # other sizes the same seed gives other pairs.
                "together": _together(images),
                "shard": SHARD,
            }
            key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
            folder = Path(cache or cache_folder() / "pairs") / f"{about['classifier']}-{key}"
            if processes.main:
                write_json(folder / "pairs.json", {**about, "images": len(images)})
            for start in range(0, len(images), SHARD):
                path = folder / f"{start:06d}.safetensors"
                jobs.append((number, first + start, images[start : start + SHARD], path))
            first += len(images)
    missing = [job for job in jobs if not job[-1].exists()]
    if processes.count > 1:
        # One process's list for all, or another's first shard would change who makes which. And
        # where the caches of two machines are two, each makes what the others put elsewhere.
        listed = set(processes.from_main([str(job[-1]) for job in missing]))
        mine = processes.share([job for job in jobs if str(job[-1]) in listed])
        _make(mine, classifiers, augment, plan, progress=progress and processes.main)
        processes.wait()
        missing = [job for job in jobs if not job[-1].exists()]
    _make(missing, classifiers, augment, plan, progress=progress)
    paths = [path for *_, path in jobs]
    epsilons_of = [_epsilons(path) for path in paths]
    counts = [len(part) for part in epsilons_of]
    sources = [torch.arange(len(images)).repeat(per_image) + start for _, start, images, _ in jobs]
    attacked_on = [torch.full((len(s),), job[0]) for s, job in zip(sources, jobs, strict=True)]
    return AdversarialPairs(
        Rows(paths, "clean", counts),
        Rows(paths, "perturbations", counts),
        torch.cat(epsilons_of),
        Rows(paths, "log_probabilities", counts),
        torch.cat(attacked_on),
        torch.cat(sources),
    )


def _make(
    jobs: Sequence[Job],
    classifiers: Sequence[nn.Module],
    augment: nn.Module | None,
    plan: Mapping[str, Any],
    *,
    progress: bool,
) -> None:
    """Attack the images of shards, and write each whole."""
    if not jobs:
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not progress) as bar:
        task = bar.add_task("attacking", total=sum(len(images) for _, _, images, _ in jobs))
        for number, start, images, path in jobs:
            shard = _attacked(classifiers[number], images, augment, plan, plan["seed"] + start)
            with atomic_path(path) as temporary:
                save_file(shard, temporary)
            bar.advance(task, len(images))


def _together(images: Tensor) -> int:
    """How many images of a size get the same attack and eps."""
    return max(1, min(PIXELS_TOGETHER // (images.shape[-2] * images.shape[-1]), IMAGES_TOGETHER))


def _attacked(
    classifier: nn.Module,
    images: Tensor,
    augment: nn.Module | None,
    plan: Mapping[str, Any],
    seed: int,
) -> dict[str, Tensor]:
    """One shard: ``per_image`` attacked copies of each image, one after the other."""
    ready = with_unit_range(classifier)
    device = next(classifier.parameters(), torch.zeros(())).device
    names, weights = list(plan["attacks"]), torch.tensor(list(plan["attacks"].values()))
    copies = images.repeat(plan["per_image"], 1, 1, 1)
    shards: list[dict[str, Tensor]] = []
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        # Which images get the same attack: not neighbours, which may be of one class.
        order = torch.randperm(len(copies))
        for rows in order.split(_together(images)):
            clean = copies[rows].float() / 255
            if augment is not None:
                clean = (augment(clean).clamp(0, 1) * 255).round() / 255
            name = names[int(torch.multinomial(weights, 1))]
            eps = plan["epsilons"][int(torch.randint(len(plan["epsilons"]), ()))]
            clean = clean.to(device).contiguous()
            with torch.no_grad(), autocast_to(clean, plan["autocast"]):
                logits = ready(clean).float()
            attacker = attack_of_strength(name, classifier, eps, plan["steps"])
            with autocast_to(clean, plan["autocast"]):
                attacked = attacker(clean, logits.argmax(dim=1))
            shards.append({
                "clean": (clean * 255).round().to(torch.uint8).contiguous().cpu(),
                "perturbations": (attacked - clean).half().contiguous().cpu(),
                "epsilons": torch.full((len(rows),), eps),
                "log_probabilities": logits.log_softmax(dim=1).cpu(),
            })
    back = order.argsort()
    return {
        name: torch.cat([s[name] for s in shards])[back].contiguous() for name in PARTS
    }


class _Contiguous(nn.Module):
    """A classifier whose gradients are contiguous, which torchattacks' L2 attacks ask for.

    Those of a classifier in ``channels_last``, which is faster, are not.
    """

    unit_range = True

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(images.flatten().view(images.shape))


def attack_of_strength(name: str, classifier: nn.Module, eps: float, steps: int) -> Any:
    """An attack by name, with as much of ``alpha`` and ``steps`` as it takes.

    Args:
        name: As `create_attack` takes it.
        classifier: The classifier; one in ``channels_last`` does for L2 attacks too.
        eps: The largest change of a value; for an attack in L2, the root mean square of it.
        steps: Steps of the attack; together they are 2 eps long.
    """
    ready = _Contiguous(with_unit_range(classifier))
    attack = create_attack(name, ready)
    if attack.norm == 2:
        return _MeanSquare(name, ready, eps, steps)
    return create_attack(name, ready, **_options(attack, eps, steps))


def _options(attack: Any, eps: float, steps: int) -> dict[str, Any]:
    given = {"eps": eps, "alpha": 2 * eps / steps, "steps": steps}
    return {name: value for name, value in given.items() if hasattr(attack, name)}


class _MeanSquare:
    """An attack in L2 whose eps goes with the number of an image's values."""

    def __init__(self, name: str, classifier: nn.Module, eps: float, steps: int) -> None:
        self.name, self.classifier, self.eps, self.steps = name, classifier, eps, steps

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        eps = self.eps * images[0].numel() ** 0.5
        probe = create_attack(self.name, self.classifier)
        attack = create_attack(self.name, self.classifier, **_options(probe, eps, self.steps))
        found: Tensor = attack(images, labels)
        return found


def _epsilons(path: Path) -> Tensor:
    """The eps of a shard's pairs; a damaged shard is noticed here, before any training."""
    try:
        with safe_open(path, "np") as file:  # "pt" would map all of it as memory of our own
            return torch.from_numpy(file.get_tensor("epsilons"))
    except SafetensorError as error:
        raise InputError(f"{path} is damaged ({error}); remove it to have it made again.") \
            from error


def hash_of_images(images: Tensor) -> str:
    """A short hash of images."""
    digest = hashlib.sha256(str(tuple(images.shape)).encode())
    for part in images.split(PART):
        digest.update(part.contiguous().numpy().data)
    return digest.hexdigest()[:16]


def hash_of_weights(classifier: nn.Module) -> str:
    """A short hash of a classifier's parameters and buffers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(classifier.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]

"""Attacked images of a classifier, made once and kept in a cache folder.

Clean images are kept as 8-bit integers and perturbations as float16, since 8-bit adversarial
images lose small perturbations. The cache is a folder of shards, each written whole, named by the
classifier's weights, the attack and the images: after an interruption the missing shards are made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Generator, Tensor, nn

from robust_restoration.contracts import Batch
from robust_restoration.data import LabelledImages
from robust_restoration.errors import InputError
from robust_restoration.files import atomic_path, cache_folder, write_json
from robust_restoration.models.classifiers import classifier_name
from robust_restoration.models.create import create_attack

# The paper's twelve: {1, 3, 5} * 10^-m for m = 4, 3, 2, 1.
STRENGTHS = tuple(float(f"{digit}e-{power}") for power in (4, 3, 2, 1) for digit in (1, 3, 5))
SHARD = 100


class AdversarialPairs:
    """Clean and attacked images, as `robust_restoration.train` draws them.

    Attributes:
        data: The clean images.
        perturbations: (N, S, C, H, W) float16, attacked minus clean.
        strengths: (N, S) the eps of each.
        flip: Whether images are flipped left to right at random. It weakens the attacks: on the
            benchmarks' MobileNet a flip alone brings accuracy from 0 back to 28 %.
        clean_share: The share of a batch's images that are left clean.
        fusion_clean_share: The same in the stage ``fusion``.
        crop: Side of random squares to train on; ``None`` for whole images. Likewise: 22 %.
    """

    def __init__(
        self,
        data: LabelledImages,
        perturbations: Tensor,
        strengths: Tensor,
        *,
        flip: bool = False,
        clean_share: float = 0.1,
        fusion_clean_share: float = 0.5,
        crop: int | None = None,
    ) -> None:
        self.data, self.perturbations, self.strengths = data, perturbations, strengths
        self.flip, self.crop = flip, crop
        self.clean_share, self.fusion_clean_share = clean_share, fusion_clean_share

    def __len__(self) -> int:
        return len(self.data)

    def subset(self, indices: Tensor | slice) -> AdversarialPairs:
        """The pairs of the images at ``indices``."""
        return AdversarialPairs(
            self.data.subset(indices),
            self.perturbations[indices],
            self.strengths[indices],
            flip=self.flip,
            clean_share=self.clean_share,
            fusion_clean_share=self.fusion_clean_share,
            crop=self.crop,
        )

    def batch(self, indices: Tensor, generator: Generator, stage: str) -> Batch:
        """One strength an image: ``clean``, ``attacked`` (B, C, H, W), ``eps``, ``label`` (B,)."""
        count, kinds = len(indices), self.strengths.shape[1]
        which = torch.randint(kinds, (count,), generator=generator)
        shares = {"fusion": self.fusion_clean_share, "gate": 0.0}  # the gate sees both of each
        share = shares.get(stage, self.clean_share)
        left_clean = torch.rand(count, generator=generator) < share
        clean = self.data.pixels(indices)
        delta = self.perturbations[indices, which].float()
        delta[left_clean] = 0
        eps = torch.where(left_clean, 0.0, self.strengths[indices, which])
        if self.flip:
            turned = torch.rand(count, generator=generator) < 0.5
            clean[turned], delta[turned] = clean[turned].flip(-1), delta[turned].flip(-1)
        if self.crop and self.crop < min(clean.shape[-2:]):
            top, left = (
                int(torch.randint(side - self.crop + 1, (), generator=generator))
                for side in clean.shape[-2:]
            )
            window = (..., slice(top, top + self.crop), slice(left, left + self.crop))
            clean, delta = clean[window], delta[window]
        return {
            "clean": clean,
            "attacked": (clean + delta).clamp(0, 1),
            "eps": eps,
            "label": self.data.labels[indices],
        }


def make_pairs(
    classifier: nn.Module,
    data: LabelledImages,
    *,
    strengths: Sequence[float] = STRENGTHS,
    per_image: int | None = None,
    attack: str = "torchattacks/pgd",
    steps: int = 40,
    batch_size: int = 32,
    cache: Path | str | None = None,
    seed: int = 0,
    progress: bool = True,
) -> AdversarialPairs:
    """Attack images at several strengths, or read from the cache what was made before.

    Args:
        classifier: The bare classifier; its normalisation is read from its ``pretrained_cfg``.
        data: The clean images.
        strengths: The eps an image may be attacked with, L-infinity, as fractions of [0, 1].
        per_image: How many of them each image gets, spread from small to large and rotated from
            image to image; ``None`` for all.
        attack: Its name; it takes ``eps``, ``alpha`` and ``steps``.
        steps: Steps of the attack, from a random start; together they are 4/3 eps long, so that the
            paper's 40 are eps/30 each.
        batch_size: Images attacked at a time.
        cache: The cache folder; the user's own by default.
        seed: Of the random starts.
        progress: Show a progress bar.

    Raises:
        InputError: If there are fewer strengths than each image shall get.
    """
    strengths = sorted(strengths)
    per_image = per_image or len(strengths)
    if per_image > len(strengths) or min(strengths) <= 0:
        raise InputError(
            f"Each image shall get {per_image} of the strengths {strengths}; expected at most "
            "as many as there are, all above 0."
        )
    plan = _plan(len(data), strengths, per_image)
    about = {
        "classifier": classifier_name(classifier),
        "weights": _weights_hash(classifier),
        "data": data.fingerprint(),
        "attack": attack,
        "steps": steps,
        "strengths": strengths,
        "per_image": per_image,
        "seed": seed,
    }
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    folder = Path(cache or cache_folder() / "pairs") / f"{about['classifier']}-{key}"
    write_json(folder / "pairs.json", {**about, "images": len(data), "shard": SHARD})
    shards = range(0, len(data), SHARD)
    missing = [start for start in shards if not (folder / f"{start:06d}.safetensors").exists()]
    if missing:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        with Progress(console=console, disable=not progress) as bar:
            total = sum(min(SHARD, len(data) - start) for start in missing) * per_image
            task = bar.add_task("attacking", total=total)
            for start in missing:
                part = slice(start, start + SHARD)
                delta = _attack_shard(
                    classifier, data.subset(part), plan[part], attack, steps, batch_size,
                    seed + start, lambda n: bar.advance(task, n),
                )
                with atomic_path(folder / f"{start:06d}.safetensors") as temporary:
                    save_file({"perturbations": delta}, temporary)
    read = []
    for start in shards:
        path = folder / f"{start:06d}.safetensors"
        try:
            with safe_open(path, "pt") as file:
                read.append(file.get_tensor("perturbations"))
        except SafetensorError as error:
            raise InputError(f"{path} is damaged ({error}); remove it to have it made again.") \
                from error
    return AdversarialPairs(data, torch.cat(read), plan)


def _plan(count: int, strengths: Sequence[float], per_image: int) -> Tensor:
    """(N, S) which strengths each image gets: spread over the range, rotated over the images."""
    values = torch.tensor(list(strengths))
    stride = len(strengths) / per_image
    images = torch.arange(count)[:, None]
    offsets = (torch.arange(per_image) * stride).long()[None]
    return values[(images + offsets) % len(strengths)]


def _attack_shard(
    classifier: nn.Module,
    data: LabelledImages,
    plan: Tensor,
    attack: str,
    steps: int,
    batch_size: int,
    seed: int,
    advance: object,
) -> Tensor:
    device = next(classifier.parameters()).device
    out = torch.empty(*plan.shape, *data.images.shape[1:], dtype=torch.float16)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for eps in plan.unique().tolist():
            rows, columns = (plan == eps).nonzero(as_tuple=True)
            alpha = eps * 4 / 3 / steps
            attacker = create_attack(attack, classifier, eps=eps, alpha=alpha, steps=steps)
            for first in range(0, len(rows), batch_size):
                row, column = rows[first : first + batch_size], columns[first : first + batch_size]
                clean = data.pixels(row)
                attacked = attacker(clean.to(device), data.labels[row].to(device)).cpu()
                out[row, column] = (attacked - clean).half()
                advance(len(row))  # type: ignore[operator]
    return out


def _weights_hash(classifier: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(classifier.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]

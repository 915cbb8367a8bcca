"""The task of restorers: images with noise."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from robust_restoration import verbs
from robust_restoration.contracts import Degradation, Denoiser, unwrapped
from robust_restoration.data import load_images
from robust_restoration.degradations.gaussian import Gaussian
from robust_restoration.degradations.names import parse_noise
from robust_restoration.errors import InputError, check_type
from robust_restoration.models.restore import conditioning, quality, restored

from .controls import CLAMP, DIRECTION, ENERGY
from .tasks import Block, Figures, Options, Task, weights_hash
from .threats import WHOLE, Threat

WHOLE_SIDE = 1024  # images with a longer side are restored in tiles


class Restoration(Task):
    """Restorers on images with noise."""

    role, usual, controls = "denoiser", ("psnr", "ssim", "mae"), (CLAMP, ENERGY, DIRECTION)
    epsilons, batch = (5 / 255,), 8

    def __init__(self, subjects: Mapping[str, nn.Module], data: Any, options: Options) -> None:
        super().__init__(options)
        if options.purifiers:
            raise InputError("purifiers stand before a classifier, and the subject is a denoiser.")
        own = {m.channels for m in map(unwrapped, subjects.values()) if isinstance(m, Denoiser)}
        channels = options.channels or next(iter(own - {None}), None)
        self.data = load_images(data, root=options.root, channels=channels, limit=options.limit)
        self.names = _unique(self.data.names)
        self.shapes = [image.shape for image in self.data.clean]
        sigma, noise = options.sigma, options.noise
        self.sigma, self.within_level = sigma, options.within_level
        self.noise: Degradation | None = None
        if options.within_level and (
            sigma is None or noise is not None or self.data.noisy is not None
        ):
            raise InputError(
                "within_level takes eps off the level of Gaussian noise: give a sigma of at least "
                f"eps, and neither another noise nor a set with its own noise; sigma is {sigma!r}, "
                f"noise {noise!r}, and the data are {self.data.name}."
            )
        if noise is not None:
            self.noise = parse_noise(noise) if isinstance(noise, str) else noise
            expected = "a word, or a Degradation such as create_noise gives"
            check_type("noise", self.noise, Degradation, expected)
            said = noise if isinstance(noise, str) else repr(noise)
        elif self.data.noisy is not None:
            said = "its own noise"
        elif sigma is not None:
            self.noise, said = Gaussian(sigma), f"Gaussian noise of {255 * sigma:g}/255"
        else:
            raise InputError("sigma is None and there is no noise: give one of them.")
        self.weights = {name: weights_hash(module) for name, module in subjects.items()}
        tile = options.tile
        if tile and max(max(shape[-2:]) for shape in self.shapes) > WHOLE_SIDE:
            subjects = {name: verbs.Tiled(module, tile=tile) for name, module in subjects.items()}
        self.subjects = subjects
        self.settings = {
            "denoiser": ", ".join(subjects), "noise": said, "sigma": sigma,
            "within_level": options.within_level,
        }
        if self.data.recoloured:
            self.settings["colours"] = self.data.recoloured

    def block(self, numbers: Sequence[int], eps: float | None = None) -> Block:
        """The images with their noise: of level sigma - eps within a level."""
        noise = self.noise
        if self.within_level and eps is not None:
            assert self.sigma is not None
            if not eps <= self.sigma:  # a budget that is not a number fails here too
                raise InputError(
                    f"within_level takes an attack's eps off the level of the noise, and there is "
                    f"an eps of {eps:g} for a sigma of {self.sigma:g}; expected a sigma of at "
                    "least eps, and attacks with one budget."
                )
            noise = Gaussian(self.sigma - eps)
        observed, clean, given = self.data.pair(numbers, noise, seed=self.seed)
        clean = clean.to(self.device)
        given = {name: value.to(self.device) for name, value in given.items()}
        return Block(list(numbers), observed.to(self.device), clean, clean, given)

    def attacked_model(self, threat: Threat, subject: str) -> nn.Module:
        """The restorer itself, or the surrogate."""
        if isinstance(threat.through, nn.Module):
            return threat.through
        return self.subjects[subject if threat.through == WHOLE else threat.through]

    def level(self, model: nn.Module) -> float | None:
        """The noise's, where it is not blind."""
        return conditioning(model, self.sigma)

    def output(self, subject: str, images: Tensor, block: Block) -> Tensor:
        """Restored images."""
        module = self.subjects[subject]
        level = self.level(module)

        def call(part: Tensor, rows: Block) -> Tensor:
            like = None if part.shape == rows.clean.shape else rows.clean
            return restored(module, part, level, self.autocast, given=rows.given, like=like)

        return self.one_by_one(module, images, block, call)

    def figures(self, subject: str, output: Tensor, images: Tensor, block: Block) -> Figures:
        """The metrics, and the PSNR of the images before they are restored."""
        found = self.compare(output, images, block)
        if images.shape == block.clean.shape:
            found["observed psnr"] = quality(images, block.clean)
        return found


def _unique(names: Sequence[str]) -> list[str]:
    """The names, with a number behind those that come again."""
    found: dict[str, None] = {}
    for name in names:
        copies = (f"{name} ({number})" for number in itertools.count(2))
        found[next(n for n in itertools.chain([name], copies) if n not in found)] = None
    return list(found)

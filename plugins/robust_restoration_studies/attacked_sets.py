"""Sets of attacked images in a folder, read by name. Loads no torch.

The typical-set paper measures its Tables 2 to 4 on sets that were made once, on one DnCNN:
"Set12-Adv-L2" and "Set12-Adv-Linf". `write_attacked_set` makes such sets; the command ``attack``
leaves folders of the same form.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robust_restoration.data.folders import data_root, inside
from robust_restoration.errors import DataError, what_is_wrong

if TYPE_CHECKING:
    from robust_restoration.data.restoration_images import RestorationImages

ARRAYS = ("clean", "attacked")


def attacked(
    folder: str, root: Path | str | None = None, *, limit: int | None = None
) -> RestorationImages:
    """The images of a folder of attacked ones: ``"attacked-set:FOLDER"`` where data are asked for.

    Args:
        folder: With files ``NAME.npz`` that hold arrays ``clean`` and ``attacked`` (C, H, W); a
            path, or a folder under the data root.
        root: Where data sets lie.
        limit: Read only the first so many.

    Returns:
        The clean images, with the attacked ones in the place of real noise, float32 and not
        clipped.

    Raises:
        DataError: If there is no such folder, or none of its files is of that form.
    """
    path = Path(folder).expanduser()
    found = path if path.is_dir() else inside(data_root(root), folder)
    if found is None:
        raise DataError(
            f"There is no folder {folder} of attacked images, here or under {data_root(root)}; "
            "robust-restoration attacked-set writes one."
        )
    return _read(found, found.resolve().name, limit)


@dataclass(frozen=True)
class AttackedSet:
    """A set of attacked images that papers name, made on this machine.

    Attributes:
        name: What users call it.
        folder: Where it lies under the data root.
        count: How many images it has.
        channels: 1 for gray, 3 for colour.
        attack: What makes it, as the command ``attacked-set`` takes it.
    """

    name: str
    folder: str
    count: int
    channels: int
    attack: str

    def __call__(self, root: Path, *, limit: int | None = None) -> RestorationImages:
        """The set as it lies under the root.

        Raises:
            DataError: If it is not there; says how it is made.
        """
        found = inside(root, self.folder)
        if found is None:
            raise DataError(
                f"There is no {self.folder} under {root}, and nobody publishes it: "
                "robust-restoration attacked-set writes it, on a denoiser of yours, with --data "
                f"set12 --attack '{self.attack}' -o {root / self.folder}."
            )
        return _read(found, self.name, limit)

    def facts(self, root: Path) -> list[dict[str, Any]]:
        """What of it lies under the root."""
        found = inside(root, self.folder)
        files = sorted(found.glob("*.npz")) if found else []
        return [
            {
                "name": self.name,
                "kind": "plugin",
                "summary": f"made by {self.attack}",
                "channels": self.channels,
                "found": len(files),
                "expected": self.count,
                "size": sum(file.stat().st_size for file in files),
                "source": "the command attacked-set",
                "folder": str(found or ""),
            }
        ]

    @property
    def places(self) -> tuple[str, ...]:
        """The folder under the data root that is its."""
        return (self.folder,)


# Both towards the noisy image, as the authors' code attacks; 0.012 as in their first paper. L2 is
# not clamped, as the pair "0.13 beside 0.77" of the paper's Table 2 asks for.
set12_adv_l2 = AttackedSet(
    "set12-adv-l2", "Set12-Adv-L2", 12, 1, "l2_denoising_pgd target=noisy clip=none eps=0.012"
)
set12_adv_linf = AttackedSet(
    "set12-adv-linf", "Set12-Adv-Linf", 12, 1, "denoising_pgd target=noisy clip=paper eps=0.012"
)


def _read(folder: Path, name: str, limit: int | None) -> RestorationImages:
    import numpy as np
    import torch

    from robust_restoration.data.restoration_images import RestorationImages, some

    found = RestorationImages(name, [], [], noisy=[])
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise DataError(
            f"{folder} holds no NAME.npz; expected a folder that the command attacked-set has "
            "written."
        )
    for file in files[:limit]:
        try:
            with np.load(file, allow_pickle=False) as content:
                arrays = [torch.from_numpy(np.array(content[key])).float() for key in ARRAYS]
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            found.damaged.append(f"{file} cannot be read ({what_is_wrong(error)}).")
            continue
        clean, changed = arrays
        fits = clean.ndim == 3 and clean.shape == changed.shape
        if not fits or not bool(torch.isfinite(torch.stack(arrays)).all()):
            found.damaged.append(
                f"{file} holds arrays of {tuple(clean.shape)} and {tuple(changed.shape)}; expected "
                "the same (C, H, W), of finite numbers."
            )
            continue
        found.clean.append(clean)
        assert found.noisy is not None
        found.noisy.append(changed)
        found.names.append(file.stem)
    return some(found, folder)

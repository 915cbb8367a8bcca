"""What documentation's examples find where they are run: small files in place of the user's."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def stand_in_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``photos/``, ``noisy/``, ``photo.jpg``, and labelled ``images/`` and ``test/``.

    All are parts of a photograph that comes with scikit-image.
    """
    import torch
    from skimage import data

    from robust_restoration.images.files import write_image

    folder = tmp_path_factory.mktemp("stand_ins")
    picture = torch.from_numpy(data.astronaut()).permute(2, 0, 1).float() / 255
    write_image(picture[:, :240, 100:356], folder / "photo.jpg")
    for number in range(3):
        part = picture[:, 40 * number : 40 * number + 64, 160:228]
        write_image(part, folder / "photos" / f"{number}.png")
        write_image(part + 0.1 * torch.randn(part.shape), folder / "noisy" / f"{number}.png")
    for name in ("images", "test"):
        (folder / name).mkdir()
        with (folder / name / "labels.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["file", "label"])
            for number in range(6):
                part = picture[:, 30 * number : 30 * number + 40, 200:240]
                write_image(part, folder / name / f"{number}.png")
                rows.writerow([f"{number}.png", number % 3])
    return folder


@pytest.fixture
def stand_ins(
    stand_in_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path], Path]:
    """Makes a folder the current one and fills it with stand-ins; timm downloads nothing."""
    import shutil

    import timm

    create = timm.create_model

    def untrained(*args: Any, **options: Any) -> Any:
        return create(*args, **{**options, "pretrained": False})

    def enter(folder: Path = tmp_path) -> Path:
        shutil.copytree(stand_in_files, folder, dirs_exist_ok=True)
        monkeypatch.chdir(folder)
        return folder

    monkeypatch.setattr(timm, "create_model", untrained)
    return enter

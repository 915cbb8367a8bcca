"""Which files are found among what a user names."""

from __future__ import annotations

from pathlib import Path

import pytest
from robust_restoration_files import find_images
from torch import Tensor

from robust_restoration.errors import DataError
from robust_restoration.images.files import write_image


def test_find_images(tmp_path: Path, images: Tensor) -> None:
    for name in ("one/a.png", "one/deep/b.jpg", "two/a.png", "two/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(images[0], (tmp_path / name).with_suffix(".png"))
    found = find_images([tmp_path / "one", tmp_path / "two"])
    assert [str(r) for _, r in found] == ["a.png", "deep/b.png", "two/a.png", "notes.png"]
    with pytest.raises(DataError, match="There is no file or folder"):
        find_images([tmp_path / "three"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="No image was found"):
        find_images([tmp_path / "empty"])


def test_each_folder_is_walked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from robust_restoration_files import apply

    walked = []
    monkeypatch.setattr(apply, "find_images", lambda paths: walked.append(paths) or [])
    apply.purify_files([tmp_path], tmp_path / "out", purifier="median", progress=False)
    assert len(walked) == 1

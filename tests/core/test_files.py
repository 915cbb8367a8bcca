"""Files that are written whole or not at all."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from robust_restoration.errors import InputError
from robust_restoration.files import atomic_path, cache_folder, check_folder, write_json


def test_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "new/deep/a.json"
    write_json(path, {"ü": [1, 2]})
    assert json.loads(path.read_text(encoding="utf-8")) == {"ü": [1, 2]}
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]
    assert stat.S_IMODE(path.stat().st_mode) & stat.S_IRUSR


def test_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ROBUST_RESTORATION_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("ROBUST_RESTORATION_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "robust_restoration"


def test_a_folder_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def mkdir(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "x")

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(InputError, match=r"new \(Permission denied\); give a folder") as told:
        check_folder(tmp_path / "new")
    assert "Errno" not in str(told.value)


def test_links_that_lead_to_each_other_stay(tmp_path):
    (tmp_path / "a.json").symlink_to("b.json")
    (tmp_path / "b.json").symlink_to("a.json")
    with pytest.raises(InputError, match="leads back to itself"):
        write_json(tmp_path / "a.json", {})
    assert (tmp_path / "a.json").is_symlink()
    assert (tmp_path / "b.json").is_symlink()


def test_links_are_followed_and_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("deep/real.json")
    (tmp_path / "dangling.json").symlink_to("deep/new.json")
    for name, target in (("link.json", "deep/real.json"), ("dangling.json", "deep/new.json")):
        write_json(tmp_path / name, [1])
        assert (tmp_path / name).is_symlink()
        assert json.loads((tmp_path / target).read_text()) == [1]
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    odd = {"pipe.json": "a pipe", "folder.json": "a folder", os.devnull: "a device"}
    for name, kind in odd.items():
        with pytest.raises(InputError, match=kind):
            write_json(tmp_path / name, [1])
    assert stat.S_ISFIFO((tmp_path / "pipe.json").stat().st_mode)
    assert not Path(os.devnull).is_file()
    assert not [p for p in tmp_path.rglob(".*")]


def test_names_in_another_encoding_survive_json(tmp_path: Path) -> None:
    names = [os.fsdecode(b"bad\xff.png"), "g\u00fct.png"]
    write_json(tmp_path / "a.json", names)
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == names
    write_json(tmp_path / "a.json", names[1:])
    assert "g\u00fct" in (tmp_path / "a.json").read_text(encoding="utf-8")

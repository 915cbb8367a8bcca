"""The plugin that is written to start from: it works, and nothing is half written."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from robust_restoration_testing.scaffold import FILES, write_plugin

from robust_restoration.errors import InputError


def contents(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_it_writes_every_file_under_its_name(tmp_path):
    written = write_plugin("zz_mine", tmp_path / "deep" / "there")
    assert {p.relative_to(tmp_path / "deep/there").as_posix() for p in written} == {
        "pyproject.toml",
        "robust_restoration_zz_mine/__init__.py",
        "robust_restoration_zz_mine/smooth.py",
        "test_robust_restoration_zz_mine.py",
    }
    assert all(path.is_file() for path in written)
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["there"]
    for path in written:
        assert "NAME" not in path.read_text()
        if path.suffix == ".py":
            ast.parse(path.read_text())


def test_its_project_file_declares_the_entry_point(tmp_path):
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no tomllib")
    write_plugin("zz_mine", tmp_path / "p")
    project = tomllib.loads((tmp_path / "p" / "pyproject.toml").read_text())
    assert project["project"]["name"] == "robust-restoration-zz-mine"
    assert project["project"]["entry-points"]["robust_restoration"] == {
        "zz_mine": "robust_restoration_zz_mine"
    }
    (package,) = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert (tmp_path / "p" / package / "__init__.py").is_file()


@pytest.mark.slow
def test_its_own_test_passes(tmp_path):
    # As after an installation: its folder and an entry point on sys.path.
    write_plugin("zz_mine", tmp_path)
    facts = tmp_path / "robust_restoration_zz_mine-0.1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Name: robust-restoration-zz_mine\nVersion: 0.1.0\n")
    (facts / "entry_points.txt").write_text(
        "[robust_restoration]\nzz_mine = robust_restoration_zz_mine\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "2 passed" in run.stdout


def test_an_empty_folder_will_do(tmp_path):
    (tmp_path / "empty").mkdir()
    write_plugin("zz_mine", tmp_path / "empty")
    assert len(contents(tmp_path / "empty")) == len(FILES)


def test_what_is_there_is_not_touched(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("precious")
    (tmp_path / "file").write_text("precious")
    for folder, problem in (("full", "is not empty"), ("file", "is a file")):
        with pytest.raises(InputError, match=problem):
            write_plugin("zz_mine", tmp_path / folder)
    assert contents(tmp_path) == {"full/mine.txt", "file"}


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("My Plugin", "my_plugin"),
        ("my--plugin!", "my_plugin"),
        ("2fast", "fast"),
        ("../up", "up"),
        ("", "my_plugin"),
        ("class", "my_class"),
        ("_x", "x"),
        ("a\n", "a"),
    ],
)
def test_a_bad_name_is_refused_with_a_better_one(name, better, tmp_path):
    with pytest.raises(InputError, match=f"such as '{better}'"):
        write_plugin(name, tmp_path / "p")
    assert not list(tmp_path.iterdir())


def test_the_name_of_an_installed_plugin_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"'attacks' is installed already, by robust_restoration"):
        write_plugin("attacks", tmp_path / "p")
    assert not list(tmp_path.iterdir())


def test_nothing_is_half_written(tmp_path, monkeypatch):
    write = Path.write_text
    count = 0

    def full_disk(self, *args, **options):
        nonlocal count
        count += 1
        if count == 3:
            raise OSError("No space left on device")
        return write(self, *args, **options)

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_plugin("zz_mine", tmp_path / "p")
    assert not list(tmp_path.iterdir())


def test_writing_loads_no_torch(tmp_path):
    code = (
        "import sys; from robust_restoration_testing.scaffold import write_plugin\n"
        f"write_plugin('zz_mine', {str(tmp_path / 'p')!r}); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_an_existing_folder_stays_the_same_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = os.stat(".").st_ino
    write_plugin("zz-mine", ".")
    assert os.stat(".").st_ino == before
    assert len(contents(tmp_path)) == len(FILES)
    assert (tmp_path / "robust_restoration_zz_mine/smooth.py").is_file()


def test_the_command_makes_a_folder_and_says_what_is_next(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, err = run("new-plugin", "zz-mine")
    assert status == 0
    folder = tmp_path / "robust-restoration-zz-mine"
    assert len(contents(folder)) == len(FILES)
    assert "pip install -e robust-restoration-zz-mine" in err
    assert "pytest robust-restoration-zz-mine" in err
    (folder / "mine.txt").write_text("precious")
    status, _, err = run("new-plugin", "zz-mine")
    assert (status, "is not empty" in err) == (2, True)
    assert (folder / "mine.txt").read_text() == "precious"
    assert run("new-plugin", "zz_mine", "-o", tmp_path / "there")[0] == 0
    assert (tmp_path / "there/robust-restoration-zz-mine/pyproject.toml").is_file()


@pytest.mark.slow
def test_from_new_plugin_to_a_green_conformance_run_in_three_commands(tmp_path):
    site = tmp_path / "site"
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    folder = "robust-restoration-zz-walk"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    for command in (
        [sys.executable, "-m", "robust_restoration.cli", "new-plugin", "zz-walk"],
        [*pip, "--target", str(site), f"./{folder}"],
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder],
    ):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert "2 passed" in done.stdout

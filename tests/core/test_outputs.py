"""What -o promises: seen before all work, nothing replaced unasked, and what a stop leaves."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from robust_restoration.cli.app import hand_over
from robust_restoration.files import atomic_path

Run = Callable[..., tuple[int, str, str]]
NOWHERE = ("--denoiser", "no_such_denoiser", "--data", "no_such_data")
STUDIES = (
    "transfer", "similitude", "adversarial-space", "patch", "radius", "minimal-perturbation",
    "clean-attack", "noise-histogram", "log-density", "local-worst-case",
)
RESULTS = {  # what they work on is not there, so that whatever they look at first is named
    **{study: NOWHERE for study in STUDIES},
    "evaluate": NOWHERE,
    "certify": ("--classifier", "no_such_classifier", "--data", "no_such_data"),
}


@pytest.fixture
def blocked(tmp_path: Path) -> Path:
    """A folder that nobody can make, since its parent is a file."""
    (tmp_path / "file").write_text("no folder")
    return tmp_path / "file" / "results"


@pytest.mark.parametrize("command", RESULTS)
def test_where_no_file_can_be_written(command: str, blocked: Path, run: Run) -> None:
    status, _, err = run(command, *RESULTS[command], "-o", blocked / "r")
    assert status == 2
    assert str(blocked) in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", ["attack", "denoise", "purify"])
def test_where_no_image_can_be_written(
    command: str, blocked: Path, tmp_path: Path, run: Run
) -> None:
    (tmp_path / "broken.png").write_bytes(b"what is looked at later")
    status, _, err = run(command, tmp_path / "broken.png", "-o", blocked)
    assert status == 2
    assert str(blocked) in err
    assert "broken.png" not in err


@pytest.mark.parametrize(
    "words",
    [
        ("train", "hat", "--denoiser", "dncnn_test", "--data", "no_such_data", "--steps", 1),
        ("demo",),
        ("attacked-set", "--denoiser", "dncnn_b=nt", "--data", "no_such_data"),
    ],
    ids=lambda words: words[0],
)
def test_where_no_folder_can_be_made(words: tuple[object, ...], blocked: Path, run: Run) -> None:
    status, _, err = run(*words, "-o", blocked)
    assert status == 2
    assert str(blocked) in err
    assert "no_such_data" not in err


@pytest.mark.parametrize("command", RESULTS)
def test_nothing_is_replaced_unasked(command: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / "r.md").write_text("somebody's notes")
    words = (command, *RESULTS[command], "-o", tmp_path / "r")
    status, _, err = run(*words)
    assert status == 2
    assert f"{tmp_path / 'r.md'} is there already; give another -o, or --overwrite." in err
    status, _, err = run(*words, "--overwrite")
    assert status == 2
    assert "no_such" in err  # on to the next thing that is wrong
    assert (tmp_path / "r.md").read_text() == "somebody's notes"


class _Unlucky:
    """A result whose picture cannot be written."""

    def to_json(self, path: Path) -> None:
        path.write_text("{}")

    def to_markdown(self) -> str:
        return "| the table |"

    def plot(self, path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))


def test_the_table_is_printed_in_any_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(OSError, match="No space"):
        hand_over(_Unlucky(), tmp_path / "r", as_json=False)
    assert "| the table |" in capsys.readouterr().out


def _interrupted(*_: object, **options: object) -> None:
    if options.get("state"):
        Path(str(options["state"])).write_text("{}")  # a first part of the work
    raise KeyboardInterrupt


def _terminated(*_: object, **__: object) -> None:
    with atomic_path(Path("half.json")) as temporary:
        temporary.write_text("{")
        os.kill(os.getpid(), signal.SIGTERM)  # as launchers do, and kill


def test_a_signal_to_end_leaves_nothing_half_written(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (16, 16)).save(tmp_path / "0.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("robust_restoration.evaluation.evaluate", _terminated)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        status, _, err = run("evaluate", "--denoiser", "dncnn_b=nt", "--data", ".", "-o", "r")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert status == 130, err
    assert "Stopped; nothing was finished yet." in err
    assert [path.name for path in tmp_path.iterdir()] == ["0.png"]


def test_what_is_left_when_somebody_stops_it(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (16, 16)).save(tmp_path / "0.png")
    monkeypatch.setattr("robust_restoration.evaluation.evaluate", _interrupted)
    monkeypatch.setattr("robust_restoration_studies.radius.radius_sweep", _interrupted)
    monkeypatch.setattr("robust_restoration_files.apply.denoise_files", _interrupted)
    on = ("--denoiser", "dncnn_b=nt")
    for words, sentence in (
        (("evaluate", *on, "--data", tmp_path, "-o", tmp_path / "r"),
         f"Stopped; what was finished is kept in {tmp_path / 'r.json'}, and the same command"),
        (("evaluate", *on, "--data", tmp_path), "Stopped; nothing is kept; with -o it would be."),
        (("radius", *on, "--data", tmp_path, "-o", tmp_path / "s"),
         "Stopped; nothing was written."),
        (("denoise", tmp_path, *on, "-o", tmp_path / "out"),
         f"Stopped; files that were finished are in {tmp_path / 'out'}, and the same command"),
    ):
        status, _, err = run(*words)
        assert status == 130, err
        assert sentence in err


@pytest.mark.parametrize("out", ["", ".", "/", ".."])
def test_a_result_needs_a_name(run: Run, out: str) -> None:
    status, _, said = run("evaluate", *NOWHERE, "-o", out)
    assert status == 2
    assert "expected what the results are called" in said

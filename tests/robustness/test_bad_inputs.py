"""Every row of bad_inputs.txt: one sentence, no traceback, nothing written, nothing changed.

``python tests/robustness/test_bad_inputs.py`` writes docs/BAD_INPUT.md.
"""

from __future__ import annotations

import contextlib
import csv
import re
import shlex
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve()
TABLE = HERE.with_name("bad_inputs.txt")
PAGE = HERE.parents[2] / "docs" / "BAD_INPUT.md"
SECONDS = 20  # no row may take longer
COMMAND = "robust-restoration"


def table() -> dict[str, list[tuple[str, str]]]:
    """(what comes, what is answered) by section."""
    sections: dict[str, list[tuple[str, str]]] = {}
    lines = iter(TABLE.read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.startswith("## "):
            rows = sections.setdefault(line[3:], [])
        elif line.strip() and not line.startswith("#"):
            rows.append((line, next(lines).strip()))
    return sections


def page() -> str:
    """The documentation's page."""
    count = sum(map(len, table().values()))
    text = (
        "# Bad input, and what happens\n\n"
        "Every input below is refused with one sentence, of which a part is shown: in Python as an "
        "error\nthat is a `RobustRestorationError` (and a `ValueError` or the like), in the shell "
        "with exit status 2.\nNothing is written, no model is changed. The tests run each of the "
        f"{count} rows, and this page is made\nof their table (`tests/robustness/bad_inputs.txt`): "
        "it is not edited by hand.\n\n"
        "`x` and `gray` are two colour and two gray images (N, C, H, W), `labels` their labels, "
        "`images` `x` as bytes;\n`classifier` and `denoiser` are small networks; `Blur`, `ToNan`, "
        "`Halves`, `Text` modules that give\nblurred images, NaN, images of half the width, a "
        "string.\n"
    )
    for section, rows in table().items():
        text += f"\n## {section}\n\n| what comes | what is said |\n|---|---|\n"
        for came, said in rows:
            text += f"| `{_cell(came)}` | {_cell(said).replace('<', '&lt;')} |\n"
    return text


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "docs/BAD_INPUT.md is not what its table says: python tests/robustness/test_bad_inputs.py"
    )


def test_there_are_enough_rows() -> None:
    rows = [row for section in table().values() for row in section]
    assert len(rows) == len({came for came, _ in rows}), "a row stands twice"
    assert len(rows) >= 150


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, labels and weights, good and bad, that the rows name."""
    import timm
    import torch
    from safetensors.torch import save_file

    import robust_restoration as rr

    at = tmp_path_factory.mktemp("bad_inputs")
    torch.manual_seed(0)
    for number in range(3):
        rr.write_image(torch.rand(1, 64, 64), at / f"photos/{number}.png")
        rr.write_image(torch.rand(3, 64, 64), at / f"colour/{number}.png")
    rr.write_image(torch.rand(3, 40, 40), at / "photo.png")
    (at / "photo.txt").write_text("no")
    (at / "file").write_text("text")
    (at / "recipe.yaml").write_text("a: [1")
    (at / "result.json").write_text("{}")
    (at / "empty").mkdir()
    (at / "damaged").mkdir()
    (at / "damaged/a.png").write_bytes(b"no image")
    _labelled(at / "classes", [(f"{n}.png", n % 3) for n in range(6)])
    _labelled(at / "highlabels", [("0.png", 5000)])
    _labelled(at / "textlabels", [("0.png", "cat")])
    _labelled(at / "neglabels", [("0.png", -1)])
    _labelled(at / "missinglabels", [("nope.png", 1)], write=False)
    _labelled(at / "nolabels", [("0.png", 1)], header=("a", "b"))
    save_file(timm.create_model("test_resnet").state_dict(), at / "tiny.safetensors")
    path = at / "dncnn.safetensors"
    rr.save_weights(rr.create_denoiser("dncnn_test"), path, kind="denoisers", name="dncnn_test")
    (at / "cut.safetensors").write_bytes(path.read_bytes()[:200])
    (at / "pickle.safetensors").write_bytes(b"PK\x03\x04" + bytes(100))
    (at / "my_models.py").write_text(
        "def number():\n    return 5\n\n\ndef fails():\n    raise RuntimeError('no')\n"
    )
    return at


def _labelled(
    folder: Path, rows: list[tuple[str, Any]], *, header: Any = ("file", "label"),
    write: bool = True,
) -> None:
    import torch

    import robust_restoration as rr

    folder.mkdir()
    for name, _ in rows if write else ():
        rr.write_image(torch.rand(3, 40, 40), folder / name)
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def names() -> dict[str, Any]:
    """What the rows' Python may use."""
    import math

    import torch
    from robust_restoration_studies import similitude, transfer
    from torch import nn

    import robust_restoration as rr

    class Blur(nn.Module):
        def forward(self, x: Any) -> Any:
            return nn.functional.avg_pool2d(x, 3, 1, 1)

    class ToNan(nn.Module):
        def forward(self, x: Any) -> Any:
            return x * float("nan")

    class Halves(nn.Module):
        def forward(self, x: Any) -> Any:
            return x[..., ::2]

    class Text(nn.Module):
        def forward(self, x: Any) -> Any:
            return "text"

    torch.manual_seed(1)
    classifier = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(32, 10),
    ).eval()
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    classifier.pretrained_cfg = {  # type: ignore[assignment]
        "architecture": "tiny", "input_size": (3, 32, 32), "num_classes": 10, "mean": mean,
        "std": std,
    }

    class Then(nn.Module):
        def __init__(self, after: Any) -> None:
            super().__init__()
            self.inner, self.after = classifier, after

        def forward(self, x: Any) -> Any:
            return self.after(self.inner(x))

    class First(Then):
        def forward(self, x: Any) -> Any:
            return self.inner(self.after(x))

    x, gray = torch.rand(2, 3, 32, 32), torch.rand(2, 1, 32, 32)
    images, labels = (255 * x).byte(), torch.tensor([1, 2])
    return {
        "rr": rr, "torch": torch, "math": math, "nn": nn, "Path": Path, "classifier": classifier,
        "denoiser": rr.create_denoiser("dncnn_test").eval(), "x": x, "gray": gray,
        "labels": labels, "images": images, "Blur": Blur, "ToNan": ToNan, "Halves": Halves,
        "Text": Text, "blur": Blur(), "nan": math.nan, "inf": math.inf,
        "labelled": rr.LabelledImages(images, labels, name="two"), "transfer": transfer,
        "similitude": similitude, "Then": Then, "First": First,
    }


@pytest.mark.parametrize(
    "section",
    [
        pytest.param(name, marks=pytest.mark.slow if name.startswith("The command line") else ())
        for name in table()
    ],
)
def test_each_row_is_one_sentence(
    section: str, folder: Path, run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))  # a command does that for good, rows are independent
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delitem(sys.modules, "my_models", raising=False)
    if torch.cuda.is_available():  # the rows are those of a machine without one
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    known = names()
    before, faults = _state(folder, known), []
    for came, said in table()[section]:
        begun = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            told = _in_shell(came, run) if came.startswith(COMMAND) else _in_python(came, known)
        pattern = ".*".join(map(re.escape, said.split("...")))
        if re.search(pattern, told) is None:
            faults.append(f"{came}\n    expected: {said}\n    came:     {told[:400]}")
        if time.monotonic() - begun > SECONDS:
            faults.append(f"{came}\n    took {time.monotonic() - begun:.0f} s")
        if _state(folder, known) != before:
            faults.append(f"{came}\n    changed files or models: {_left(folder, before)}")
            for left in _left(folder, before):
                with contextlib.suppress(OSError):
                    Path(left).unlink()
            before = _state(folder, known)
    print(f"{section}: {len(table()[section])} bad inputs, {len(faults)} faults")  # noqa: T201
    assert not faults, "\n".join(faults)


def _in_python(came: str, known: dict[str, Any]) -> str:
    from robust_restoration import RobustRestorationError

    words = re.sub(r"^rr\.evaluate\((.*)\)$", r"rr.evaluate(\1, progress=False)", came)
    words = re.sub(r"^rr\.train\((.*)\)$", r"rr.train(\1, progress=False)", words)
    try:
        given = eval(words, dict(known))
    except RobustRestorationError as error:
        told = str(error)
        return told if "\n" not in told else f"SEVERAL LINES: {told}"
    except Exception as error:
        return f"TRACEBACK {type(error).__name__}: {error}"
    return f"RETURNED {type(given).__name__}"


def _in_shell(came: str, run: Callable[..., tuple[int, str, str]]) -> str:
    try:
        status, out, error = run(*shlex.split(came)[1:])
    except Exception as raised:
        return f"TRACEBACK {type(raised).__name__}: {raised}"
    plain = " ".join(re.sub("[│╭╮╰╯─]", " ", error).split())
    return plain if status == 2 and not out else f"STATUS {status}: {plain} {out[:100]}"


def _state(folder: Path, known: dict[str, Any]) -> Any:
    files = {str(p.relative_to(folder)): p.stat().st_size for p in _files(folder)}
    sums = [
        float(p.detach().double().sum()) + p.requires_grad
        for name in ("classifier", "denoiser")
        for p in known[name].parameters()
    ]
    return files, sums, [known[name].training for name in ("classifier", "denoiser")]


def _files(folder: Path) -> Iterator[Path]:
    return (p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)


def _left(folder: Path, before: Any) -> list[str]:
    return [str(p) for p in _files(folder) if str(p.relative_to(folder)) not in before[0]]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"Wrote {PAGE}.\n")

"""Each command that a message suggests is one that works."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = [*(REPOSITORY / "robust_restoration").rglob("*.py"), *REPOSITORY.glob("plugins/*/*.py")]
COMMAND = re.compile(r"robust-restoration((?: (?:--?[a-z][a-z-]*|[\w{}=./:~-]+))+)")
PROSE = {"writes", "takes"}  # "robust-restoration train writes ...": the command ends before it

# What stands for what the reader puts there.
VALUES = {
    "NAME": "resnet18.a1_in1k",
    "FOLDER": "images",
    "FILE": "FILE.safetensors",
    "DATA": "images",
}


def messages():
    """(file, text) of each piece of text in the sources that is no docstring.

    What is inserted stands in braces, as it is written.
    """
    for file in SOURCES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        inner = {id(v) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for v in n.values}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = (
                    v.value if isinstance(v, ast.Constant) else f"{{{ast.unparse(v.value)}}}"
                    for v in node.values
                )
                yield file, "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                if id(node) not in docstrings | inner:
                    yield file, node.value


def suggestions():
    """Command -> the files that suggest it."""
    found: dict[str, set[str]] = {}
    for file, text in messages():
        if "Example:" in text:  # of a command's help; see test_help_examples
            continue
        for words in COMMAND.findall(text):
            kept = []
            for word in words.split():
                if word in PROSE:
                    break
                kept.append(word.rstrip(".:"))
            found.setdefault(" ".join(kept), set()).add(file.name)
    return found


SUGGESTED = suggestions()


def test_the_reader_of_messages_sees_what_it_should():
    assert {"datasets", "list attacks"} <= set(SUGGESTED)
    assert any(command.startswith("train ") for command in SUGGESTED)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("command", SUGGESTED)
def test_it_works(command, stand_ins, run):
    stand_ins()
    words = shlex.split(command)
    if words == [words[0]]:
        words.append("--help")
    if words[0] == "train":
        inserted = "dncnn" if "--denoiser" in words else "additive"
        if words[1].startswith("{"):
            words[1] = "standard" if "--denoiser" in words else "advfilter"
        words += ["--steps", "1", "--batch-size", "2"]
        if "-o" not in words:
            words += ["-o", "runs/mine"]
        if "--classifier" in words:
            words += ["--size", "32"]
    else:
        inserted = "dncnn_b"
    if "--denoiser" in words:  # whose patches are larger than the labelled images
        words = ["photos" if word == "FOLDER" else word for word in words]
    words = [re.sub(r"\{.*?\}", inserted, VALUES.get(word, word)) for word in words]
    status, _, err = run(*words)
    assert status == 0, f"{', '.join(SUGGESTED[command])} suggests {command!r}\n{err}"

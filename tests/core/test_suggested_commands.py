"""Each command that a message suggests is one that works."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = [*(REPOSITORY / "robust_restoration").rglob("*.py"), *REPOSITORY.glob("plugins/*/*.py")]
WORD = r"\{[^{}]*\}|--?[a-z][a-z-]*|[\w=./:~-]+"
COMMAND = re.compile(rf"robust-restoration((?: (?:{WORD}))+)")
PROSE = {"writes", "takes", "shows", "The"}  # here the sentence goes on and the command ends

# What stands for what the reader puts there.
VALUES = {
    "NAME": "resnet18.a1_in1k",
    "FILE": "FILE.safetensors",
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
            for word in re.findall(WORD, words):
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
    # {what}: what is trained, one for each kind of it
    words = re.findall(WORD, command.replace("{what}", "--denoiser {name}"))
    if words == [words[0]]:
        words.append("--help")
    for_purifiers = "--classifier" in words
    placed = "attacks" if words[0] == "list" else "additive" if for_purifiers else "dncnn"
    if words[0] == "train":
        defense = "advfilter" if for_purifiers else "hat"
        words[1] = defense if words[1].startswith("{") else words[1]
        words += ["--steps", "4", "--batch-size", "2"]
    if for_purifiers:
        words += ["--size", "32", "--set", "epsilons=[0.03]"]
        words += ["--set", "attack_steps=1"]
    if "-o" in words:
        words[words.index("-o") + 1] = "runs/mine"
    values = {**VALUES, "FOLDER": "images" if for_purifiers else "photos"}
    words = [placed if word.startswith("{") else values.get(word, word) for word in words]
    status, _, err = run(*words)
    assert status == 0, f"{', '.join(SUGGESTED[command])} suggests {command!r}\n{err}"

"""What README.md prints is run: its Python in order, its commands through the command line.

Both are run on small stand-ins (see ``conftest.py``), and with so few steps as `SMALLER` says.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))

# What is printed, and what is run in its place: the same with less to compute.
SMALLER = {
    # There are too few images for it here; tests/advfilter/test_fitting.py fits.
    'fit_purifier(classifier, "images/", minutes=10, out="runs/fitted")': (
        'create_purifier("median")'
    ),
    # What takes half a minute; tests/advfilter/test_export.py does it with a smaller classifier.
    "torch.export.export(robust.eval(), (two,), dynamic_shapes=any_number)": "robust.eval()",
    'torch.onnx.export(robust, (two,), "robust.onnx", dynamo=True, opset_version=18, '
    "dynamic_shapes=any_number)": "pass",
    '"obsatk_auto"]': '"obsatk_auto steps=2"]',
    "--threat obsatk_auto": "--threat 'obsatk_auto steps=2'",
    "-o attacked": "-o attacked --attack 'obsatk_auto steps=2'",
    "purify photos/ -o looked_at": "purify photos/0.png -o looked_at",
    "-o results/mine": "-o results/mine --limit 2",
    "steps=20_000": "steps=2, batch_size=2",
    "steps=40": "steps=2",
    "--steps 20000": "--steps 2 --batch-size 2",
    "--size 224": "--size 32",
    "--draws 1000": "--draws 10 --guesses 2 --limit 1",
    "--set augment=true --steps 3000": "--set attack_steps=1 --steps 4 --batch-size 2",
    "-o results/similitude": "-o results/similitude --count 4 --limit 1",
    "--threat gray-box --threat white-box": "--threat 'gray-box steps=2' --threat "
    "'white-box steps=1 n_queries=1'",
}
# What is not run, and why.
NOT_RUN = {
    r"pip install .*": "it changes the environment that the tests run in",
    r"robust-restoration demo": "tests/demo runs it",
    r"pytest": "this is it",
    r"python benchmarks/.*": "minutes to hours, on data that is not everywhere",
}


def blocks(section: str, language: str) -> list[str]:
    """The code of a section's blocks."""
    return re.findall(rf"^```{language}\n(.*?)^```$", SECTIONS[section], re.M | re.S)


def smaller(text: str) -> str:
    """The text with less to compute."""
    for old, new in SMALLER.items():
        text = text.replace(old, new)
    return text


def commands(section: str) -> list[str]:
    """The section's commands, one a line, without those that are not run."""
    return commands_of("".join(blocks(section, "sh")))


def commands_of(code: str) -> list[str]:
    """The commands of a block."""
    lines = code.replace("\\\n", " ").splitlines()
    words = [part.strip() for line in lines for part in line.partition("#")[0].split("&&")]
    skipped = re.compile("|".join(NOT_RUN))
    return [" ".join(word.split()) for word in words if word and not skipped.fullmatch(word)]


WITH_CODE = [name for name in SECTIONS if blocks(name, "python") or commands(name)]


def test_the_page_is_read():
    assert len(WITH_CODE) >= 3
    assert sum(bool(blocks(name, "python")) for name in SECTIONS) >= 3
    assert sum(bool(commands(name)) for name in SECTIONS) >= 3
    assert len(re.findall("^```(?!(?:python|sh)?$)", PAGE, re.M)) == 0  # no block is overlooked
    for old in SMALLER:
        assert old in PAGE
    for pattern in NOT_RUN:
        assert re.search(pattern, PAGE)


def test_nothing_is_written_twice_to_one_place():
    """Else the second says that another run, or a result, is there."""
    written = re.findall(r'(?:-o |out="|save\(")([\w./]+)', PAGE)
    assert len(written) > 10
    assert sorted(set(written)) == sorted(written)


@pytest.mark.slow
@pytest.mark.parametrize("section", WITH_CODE)
@pytest.mark.filterwarnings("ignore")
def test_code_in_the_printed_order(section, stand_ins, run):
    stand_ins()
    names: dict[str, object] = {}
    printed = re.findall(r"^```(python|sh)\n(.*?)^```$", SECTIONS[section], re.M | re.S)
    for language, code in printed:
        if language == "python":
            exec(compile(smaller(code), f"README.md, {section}", "exec"), names)
            continue
        for command in commands_of(code):
            program, *words = shlex.split(smaller(command))
            assert program == "robust-restoration", f"{command!r} is neither run nor said why not"
            status, _, err = run(*words)
            assert status == 0, f"{command}\n{err}"

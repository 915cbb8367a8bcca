"""docs/PAPERS.md: every command that it names exists, with its options and names."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from robust_restoration import registry
from robust_restoration.cli.app import add_plugin_commands, app
from robust_restoration.numbers import parse_attack
from robust_restoration.plugins.targets import load_target, options_of

REPOSITORY = Path(__file__).resolve().parents[2]
TEXT = (REPOSITORY / "docs/PAPERS.md").read_text(encoding="utf-8")
STATES = {"measured", "runs", "old", "in part", "no data"}


def rows():
    for line in TEXT.splitlines():
        if line.startswith("|") and not line.startswith(("|---", "| what ")):
            yield [cell.strip() for cell in line.strip()[1:-1].split("|")]


def commands(program):
    found = re.findall(rf"`({program}[^`]*)`", TEXT)
    assert found
    return sorted(set(found))


@pytest.fixture(scope="module")
def verbs():
    add_plugin_commands()
    return typer.main.get_command(app).commands


def test_each_row_has_a_state_and_a_command():
    count = 0
    for cells in rows():
        assert len(cells) == 4, cells
        assert cells[2] in STATES, cells
        assert cells[1], f"no command: {cells[0]}"
        count += 1
    assert count > 75


@pytest.mark.parametrize("command", commands("robust-restoration"))
def test_commands_exist(command, verbs):
    verb, *words = shlex.split(command)[1:]
    assert verb in verbs, f"there is no command {verb}"
    known = {option: p for p in verbs[verb].params for option in p.opts + p.secondary_opts}
    values: dict[str, list[str]] = {}
    free = []
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            free.append(word)
            continue
        assert word in known, f"{verb} has no option {word}"
        if not getattr(known[word], "is_flag", False):
            values.setdefault(word, []).append(words.pop(0))
    for word in (*values.get("--attack", []), *values.get("--threat", [])):
        name, options = parse_attack(word)
        offer, _ = registry().find("attacks", name)
        takes = options_of(load_target(offer.entry))
        assert not set(options) - set(takes) - {"eps"}, f"{name} does not take {options}"
    for word in values.get("--denoiser", []):
        registry().find("denoisers", word.partition("=")[0])
    for word in values.get("--recipe", []):
        registry().find("recipes", word)
    for word in values.get("--noise", []):
        registry().find("noises", word.partition(":")[0])
    for word in values.get("--data", []):
        if word not in ("images", "photos") and ":" not in word:
            registry().find("datasets", word)
    if verb == "train":
        kind = "defenses" if registry().has("defenses", free[0]) else "purifiers"
        registry().find(kind, free[0])
    if verb == "list":
        for name in free[1:]:
            registry().find(free[0], name)


@pytest.mark.parametrize("command", commands("python benchmarks"))
def test_scripts_exist(command):
    script, *arguments = command.split()[1:]
    source = (REPOSITORY / script).read_text(encoding="utf-8")
    for argument in arguments:
        assert f'"{argument}"' in source, f"{script} does not know {argument}"


def test_tests_exist():
    for command in commands("pytest"):
        assert (REPOSITORY / command.split()[1]).is_file()

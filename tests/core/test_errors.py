"""What is wrong with a file is said of the file, in no words of Python's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from robust_restoration.errors import what_is_wrong
from robust_restoration.training.run_folder import HISTORY, RunFolder


def raised(source: str) -> BaseException:
    try:
        eval(source, {"json": json})
    except Exception as error:
        return error
    raise AssertionError(source)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{}['settings']", "it has no 'settings'"),
        ("{}['\\x1b' + 'x' * 999]", "it has no '?xxx"),
        ("[][0]", "a list in it is too short"),
        ("(lambda none: none['a'])(None)", "a part of it is of another kind than expected"),
        ("''.nothing", "a part of it is of another kind than expected"),
        ("json.loads('[' * 10**6)", "it is nested too deeply"),
        ("json.loads('{')", "it is no JSON: Expecting property name"),
        ("b'\\xff'.decode()", "it is no text in UTF-8"),
        ("list(zip([1], [], strict=True))", "lists in it are not as long as each other"),
        ("open('/')", "Is a directory"),
        ("float('x')", "could not convert string to float: 'x'"),
    ],
)
def test_words_about_the_file(source: str, said: str) -> None:
    found = what_is_wrong(raised(source))
    assert found.startswith(said)
    assert "Error" not in found
    assert len(found) <= 300


@pytest.mark.parametrize("content", ["[" * 10**5, "[{}]", "5", "{", "[[]]"])
def test_any_damaged_history_is_set_aside(content: str, tmp_path: Path) -> None:
    (tmp_path / HISTORY).write_text(content)
    with pytest.warns(UserWarning, match="renamed") as said:
        assert RunFolder(tmp_path).history(9) == []
    assert "Error" not in str(said[0].message)
    assert (tmp_path / f"{HISTORY}.damaged").read_text() == content

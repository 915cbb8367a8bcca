"""The list of deliberate faults fits the code; ``python tests/mutations`` applies them."""

import ast
import importlib.util
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LIST = REPOSITORY / "tests" / "mutations" / "faults.py"


def load():
    spec = importlib.util.spec_from_file_location("faults", LIST)
    module = importlib.util.module_from_spec(spec)
    sys.modules["faults"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    del sys.modules["faults"]
    return module.FAULTS


FAULTS = load()


def functions(file):
    """Names of a file's tests, ``Class::test`` where they stand in a class."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.ClassDef):
            yield from (f"{node.name}::{f.name}" for f in node.body if hasattr(f, "name"))


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.why)
def test_a_fault_is_one_change_of_one_file(fault):
    text = (REPOSITORY / fault.file).read_text(encoding="utf-8")
    assert text.count(fault.old) == 1
    assert fault.new != fault.old
    if fault.file.endswith(".py"):
        ast.parse(text.replace(fault.old, fault.new))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.why)
def test_its_tests_exist(fault):
    assert fault.tests
    for test in fault.tests:
        file, _, name = test.partition("::")
        assert name.partition("[")[0] in set(functions(REPOSITORY / file))


def test_there_are_enough():
    assert len(FAULTS) == len({fault.why for fault in FAULTS}) >= 40

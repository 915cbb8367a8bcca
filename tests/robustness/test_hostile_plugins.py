"""Plugins that are broken or mean harm: each is contained, and everything else stays as it was."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import robust_restoration as rr
from robust_restoration.plugins.discovery import discover
from robust_restoration.plugins.hooks import KINDS
from robust_restoration.plugins.registry import registry

HEAD = "import os, sys\nfrom robust_restoration import Entry, hookimpl\n"
# What a hook of each kind returns.
RETURNS = {
    "number": "return 5",
    "items": "return [None, 'text']",
    "raises": "return 1 / 0",
    "exits": "sys.exit(3)",
    "names": "return [Entry(7, 'a:b')]",
    "endless_name": "return [Entry('a' * 10**6 + ' ', 'a:b')]",
}
# What a module does when it is imported.
IMPORTS = {
    "raise RuntimeError('x' * 10**6)": "RuntimeError",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "raise GeneratorExit": "GeneratorExit",
    "import os; os.write(2, b''); raise SystemExit": "SystemExit",
    "def f(): return f()\nf()": "RecursionError",
    "class E(BaseException):\n    def __str__(self): raise E\nraise E": "E",
    "class E(Exception):\n    def __repr__(self): raise E\n    __str__ = __repr__\nraise E": "E",
    "raise MemoryError": "MemoryError",
    "raise StopIteration": "StopIteration",
    "import surely_not_there_at_all": "ModuleNotFoundError",
    "\x00": "",
    "print('{\"spoilt\": 1}')": "implements no hook",
}
# What a target that is listed does when it is asked for.
TARGETS = ("raise SystemExit(0)", "raise RuntimeError('\\n' * 999)", "print('spoilt')", "1 / 0")


def sources() -> dict[str, str]:
    found = {}
    for kind in KINDS:
        for name, body in RETURNS.items():
            found[f"zz_{kind}_{name}"] = f"{HEAD}@hookimpl\ndef {kind}():\n    {body}\n"
    for number, body in enumerate(IMPORTS):
        found[f"zz_import_{number}"] = body
    return found


def facts() -> dict[str, tuple[str, int]]:
    return {p.name: (p.status, sum(map(len, p.entries.values()))) for p in discover() if p.builtin}


@pytest.mark.slow
def test_sixty_hostile_plugins_at_once(
    fake_plugin: Callable[..., Path], run: Callable[..., tuple[int, str, str]]
) -> None:
    before = facts()
    lists = {kind: registry().list(kind) for kind in KINDS}
    hostile = sources()
    for module, source in hostile.items():
        fake_plugin(module, source, distribution=module)
    begun = time.monotonic()
    found = {p.name: p for p in discover() if p.name in hostile}
    print(f"{len(hostile)} hostile plugins in {time.monotonic() - begun:.1f} s")  # noqa: T201
    assert len(found) == len(hostile) >= 60
    assert {p.status for p in found.values()} == {"broken"}
    assert all(p.reason and len(p.reason) < 1000 and "\n" not in p.reason for p in found.values())
    for number, reason in enumerate(IMPORTS.values()):
        assert reason in found[f"zz_import_{number}"].reason
    assert facts() == before
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert {kind: registry().list(kind) for kind in KINDS} == lists
        registry.cache_clear()
        status, out, error = run("plugins", "--json")
    assert status == 0, error
    assert "Traceback" not in error
    json.loads(out)


@pytest.mark.parametrize("body", TARGETS)
@pytest.mark.parametrize("kind", ["denoisers", "attacks", "defenses", "purifiers", "noises"])
def test_targets_that_do_harm_when_asked_for(
    kind: str, body: str, fake_plugin: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    entry = f"Entry('zz_bad', 'zz_listed_{kind}_target:Bad')"
    fake_plugin(f"zz_listed_{kind}_target", body, distribution="zz-target")
    fake_plugin(f"zz_listed_{kind}", f"{HEAD}@hookimpl\ndef {kind}():\n    return [{entry}]\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert "zz_bad" in registry().list(kind)
        with pytest.raises(rr.PluginError, match="zz_bad") as error:
            registry().create(kind, "zz_bad")
    assert "\n" not in str(error.value)
    assert capsys.readouterr().out == ""

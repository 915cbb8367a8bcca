"""Plugins that are broken or mean harm: each is contained, and everything else stays as it was."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import robust_restoration as rr
from robust_restoration import Entry, hookimpl
from robust_restoration.plugins.containment import _Nothing, contained
from robust_restoration.plugins.discovery import discover, read_entries
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


OFFERS = "@hookimpl\ndef denoisers():\n    return [Entry('zz_x', 'zzt:X')]\n"
# What hooks may not return, and a word of the reason.
REFUSED = {
    "class L(list):\n    def __iter__(self):\n        while True: yield E\nL()": "expected a list",
    "__import__('itertools').repeat(E)": "expected a list",
    "(e for e in [E])": "expected a list",
    "{'zz_x': E}": "expected a list",
    "type('D', (Entry,), {'__eq__': lambda *a: 1 / 0})('zz_x', 'a:b')": "expected a list",
    "[type('D', (Entry,), {'name': property(lambda s: 1 / 0)})]": "not an Entry",
    "[type('D', (Entry,), {})('zz_x', 'a:b')]": "not an Entry",
    "[Entry('z' * 101, 'a:b')]": "100 characters",
    "[Entry('../zz_x', 'a:b')]": "a folder's",
    "[Entry('zz/..', 'a:b')]": "a folder's",
    "[Entry('zz\\u202ex', 'a:b')]": "other than letters",
    "[Entry('zz_\\x1b[2J', 'a:b')]": "other than letters",
    "[Entry('zz\\u00e9', 'a:b')]": "other than letters",
    "[Entry('zz_x', 'a:b', summary='\\x1b[2J')]": "summary",
    "[Entry('zz_x', 'a:b', install='\\u202e')]": "install",
    "[Entry('zz_x', 'a:b', paper='x' * 1001)]": "paper",
    "[Entry('zz_x', 'a:b', roles=('x' * 1001,))]": "roles",
    "[E, E]": "more than once",
}
FILES = ("/etc/passwd", "../x.safetensors", "https://example.org/x", "a//b", "weights/../../x")
# What an import sets of the process, and what is said of it.
SETS = {
    "import os; os.chdir('/')": "the working directory",
    "import random; random.seed(1)": "random numbers of Python",
    "import numpy; numpy.random.seed(1)": "random numbers of numpy",
    "import torch; torch.manual_seed(1)": "random numbers of torch",
    "import torch; torch.set_default_dtype(torch.float64)": "torch's default dtype",
    "import torch; torch.set_grad_enabled(False)": "torch's gradients",
    "import warnings; warnings.simplefilter('ignore')": "the warnings that are shown",
    "import warnings; warnings.resetwarnings()": "the warnings that are shown",
    "import warnings; warnings.showwarning = print": "showwarning",
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)": "the handler of SIGINT",
    "import sys; sys.stderr = None": "stderr",
    "import sys; sys.setrecursionlimit(10**5)": "the recursion limit",
    "import sys; sys.excepthook = print": "sys.excepthook",
}


def offered(kind: str, value: str) -> dict[str, list[Entry]]:
    source, _, last = value.rpartition("\n")
    names: dict[str, object] = {"E": Entry("zz_x", "zzt:X"), "Entry": Entry}
    exec(source, names)
    module = types.ModuleType("zz_made")
    hook = hookimpl(lambda: eval(last, names), specname=kind)
    setattr(module, kind, hook)
    return read_entries(module)


@pytest.mark.parametrize("value", REFUSED)
def test_what_no_hook_may_return(value: str) -> None:
    with pytest.raises((TypeError, ValueError), match=REFUSED[value]):
        offered("denoisers", value)


@pytest.mark.parametrize("file", FILES)
def test_weights_are_files_of_their_package(file: str) -> None:
    with pytest.raises(ValueError, match="a file within its package"):
        offered("weights", f"[Entry('denoisers/dncnn_b.zz', 'zzm:{file}')]")


def test_entries_that_change_later_are_as_they_were_read() -> None:
    E = Entry("zz_x", "zzt:X")
    module = types.ModuleType("zz_made")
    module.denoisers = hookimpl(lambda: [E], specname="denoisers")  # type: ignore[attr-defined]
    found = read_entries(module)["denoisers"][0]
    object.__setattr__(E, "name", 5)
    assert found.name == "zz_x"


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Python's own answer to SIGINT; whoever starts the tests in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("source", SETS)
def test_what_an_import_sets_is_put_back(source: str) -> None:
    import random

    import numpy as np
    import torch

    def facts() -> list[object]:
        rows = [random.getstate(), np.random.get_state()[1].tolist()]  # noqa: NPY002
        rows += [torch.get_rng_state().tolist()]
        rows += [os.getcwd(), torch.get_default_dtype(), torch.is_grad_enabled(), sys.excepthook]
        rows += [[f for f in warnings.filters if f[2] is not _Nothing], warnings.showwarning]
        return [*rows, signal.getsignal(signal.SIGINT), sys.stderr, sys.getrecursionlimit()]

    with warnings.catch_warnings():
        before = facts()
        with contained() as changed:
            exec(source, {})
        assert changed == [SETS[source]]
        assert facts() == before


def test_what_is_imported_late_is_contained_and_what_is_there_is_not_looked_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from robust_restoration.plugins import targets

    late = "import torch\ndef __getattr__(name):\n    torch.set_default_dtype(torch.float64)\n"
    (tmp_path / "zz_late.py").write_text(late + "    globals()[name] = 1\n    return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module("zz_late")
    entry = Entry("zz_late", "zz_late:made")
    assert targets.load_target(entry) == 1
    assert torch.get_default_dtype() == torch.float32
    monkeypatch.setattr(targets, "contained", lambda: pytest.fail("this costs 2 ms a network"))
    assert targets.load_target(entry) == 1
    monkeypatch.delitem(sys.modules, "zz_late")


@pytest.mark.parametrize("name", ["zz\u202e", "z" * 101, "zz/../x y", "zz\x1b[2J"])
def test_plugins_with_names_that_cannot_be_shown(
    name: str, fake_plugin: Callable[..., Path]
) -> None:
    fake_plugin("zz_named", HEAD + OFFERS, name=name, distribution="zz-named")
    (found,) = (p for p in discover() if p.distribution == "zz-named")
    assert found.status == "broken"
    assert found.name.isprintable()
    assert len(found.name) <= 80


def test_brackets_in_what_plugins_say_are_no_markup(
    fake_plugin: Callable[..., Path], run: Callable[..., tuple[int, str, str]]
) -> None:
    source = OFFERS.replace("'zzt:X'", "'zzt:X', summary='[/foo] [red]'")
    fake_plugin("zz_brackets", HEAD + source)
    for words in (["plugins"], ["list", "denoisers"]):
        status, out, error = run(*words)
        assert status == 0, error
    assert "[/foo] [red]" in out


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

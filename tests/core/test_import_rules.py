"""Who may import whom, read from the syntax trees; and what the face of the package loads."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from robust_restoration.plugins.discovery import discover
from robust_restoration.plugins.hooks import KINDS

REPOSITORY = Path(__file__).resolve().parents[2]
CORE = REPOSITORY / "robust_restoration"
PLUGINS = sorted(p for p in (REPOSITORY / "plugins").iterdir() if (p / "__init__.py").is_file())
HEAVY = {
    "accelerate",
    "kornia",
    "matplotlib",
    "skimage",
    "sklearn",
    "timm",
    "torch",
    "torchattacks",
    "torchvision",
}
FACE = (
    "__init__",
    "cli/__init__",
    "data/__init__",
    "data/class_folders",
    "data/folders",
    "data/names",
    "degradations/names",
    "errors",
    "files",
    "images/folders",
    "models/create",
    "models/shipped",
    "numbers",
    "plugins/discovery",
    "plugins/hooks",
    "plugins/registry",
    "plugins/targets",
)


def imports(file, *, everywhere=True):
    """(line, absolute module name) of each import; of those run at import only, on request."""
    package = file.relative_to(REPOSITORY).with_suffix("").parts
    package = package[1:] if package[0] == "plugins" else package
    package = package[:-1]

    def visit(node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not everywhere:
                continue
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            if isinstance(child, ast.Import):
                yield from ((child.lineno, alias.name) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = list(package[: len(package) - child.level + 1]) if child.level else []
                module = ".".join([*base, *([child.module] if child.module else [])])
                yield child.lineno, module
                yield from ((child.lineno, f"{module}.{alias.name}") for alias in child.names)
            yield from visit(child)

    yield from visit(ast.parse(file.read_text(encoding="utf-8")))


def offenders(files, wrong, **options):
    """Where a module that is ``wrong`` is imported."""
    return [
        f"{file.relative_to(REPOSITORY)}:{line} imports {module}"
        for file in files
        for line, module in imports(file, **options)
        if wrong(module)
    ]


def is_in(module, package):
    return module == package or module.startswith(f"{package}.")


def sources(folder):
    found = sorted(folder.rglob("*.py"))
    assert found, f"nothing to check in {folder}"
    return found


def test_the_reader_of_imports_sees_what_it_should():
    file = CORE / "contracts" / "__init__.py"
    found = {module for _, module in imports(file)}
    assert {"robust_restoration.contracts.attack", "robust_restoration.contracts.freezing"} <= found
    assert "torch" in {module for _, module in imports(CORE / "contracts" / "attack.py")}
    lazily = {module for _, module in imports(CORE / "models" / "create.py")}
    at_once = {module for _, module in imports(CORE / "models" / "create.py", everywhere=False)}
    assert "robust_restoration.models.weights" in lazily - at_once


def test_the_core_imports_no_plugin():
    names = [plugin.name for plugin in PLUGINS]
    assert not offenders(sources(CORE), lambda m: any(is_in(m, name) for name in names))


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_a_plugin_imports_only_the_core_and_itself(plugin):
    def wrong(module):
        ours = module.split(".")[0].startswith("robust_restoration")
        private = is_in(module, "robust_restoration") and "._" in module.replace("__", "")
        own = is_in(module, "robust_restoration") or is_in(module, plugin.name)
        return (ours and not own) or private

    assert not offenders(sources(plugin), wrong)


@pytest.mark.slow
def test_nobody_imports_the_folder_of_plugins_or_the_tests():
    files = [
        file
        for folder in ("robust_restoration", "plugins", "tests", "benchmarks")
        for file in (REPOSITORY / folder).rglob("*.py")
    ]
    assert not offenders(files, lambda m: is_in(m, "plugins") or is_in(m, "tests"))
    assert not (REPOSITORY / "plugins" / "__init__.py").exists()


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_a_plugins_face_is_light_and_keeps_its_hooks(plugin):
    face = plugin / "__init__.py"
    assert not offenders([face], lambda m: m.split(".")[0] in HEAVY, everywhere=False)
    hooks = {
        node.name for node in ast.parse(face.read_text()).body if isinstance(node, ast.FunctionDef)
    }
    for kind in hooks & set(KINDS):  # an imported submodule of that name would replace the hook
        assert not (plugin / f"{kind}.py").exists()
        assert not (plugin / kind).exists()


def test_the_cores_face_is_light():
    files = [CORE / f"{name}.py" for name in FACE]
    assert not offenders(files, lambda m: m.split(".")[0] in HEAVY, everywhere=False)


LISTING = """
import sys
import robust_restoration as rr
from robust_restoration.plugins.registry import registry
assert rr.__version__
plugins = rr.discover()
names = [rr.list_attacks(), rr.list_purifiers(), rr.list_defenses(), rr.list_denoisers()]
assert any(names) and plugins
assert registry() is not None
loaded = set(sys.modules) & (HEAVY | {"numpy"})
assert not loaded, loaded
"""


def test_importing_and_listing_load_nothing_heavy():
    code = LISTING.replace("HEAVY", repr(HEAVY))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.slow
def test_each_module_imports_first():
    # A circle of imports shows only when a module is the first to be imported.
    modules = ["robust_restoration"] + [
        f"robust_restoration.{name.replace('/', '.')}"
        for name in FACE
        if not name.endswith("__init__")
    ]
    for module in modules:
        run = subprocess.run(
            [sys.executable, "-c", f"import {module}"], capture_output=True, text=True
        )
        assert run.returncode == 0, f"{module}: {run.stderr}"


# Names of entries that are words of English, or of the field, too: where they stand in the core, no
# entry is meant.
ORDINARY = {
    "adversarial",  # perturbations, robustness
    "attack",  # a noun and a verb
    "certify",  # a verb
    "compact",  # a verb
    "compare",  # a verb
    "csv",  # a suffix of files
    "demo",  # a command
    "denoise",  # a verb
    "denoiser",  # what the contract Denoiser is
    "evaluate",  # a verb
    "evaluation",  # a noun
    "explain",  # a verb
    "explanation",  # what it gives
    "list",  # what holds several
    "loading",  # of images and of weights
    "npz",  # a suffix of files
    "files",  # what images are read from
    "gaussian",  # the noise that the core has itself
    "patch",  # a part of an image
    "purify",  # a verb
    "radius",  # of a ball
    "jpeg",  # a suffix of files
    "leaderboard",  # a noun
    "models",  # what is evaluated
    "report",  # a noun
    "to_html",  # the verb of a result
    "smoothing",  # of curves and of classifiers
    "strip",  # of panels, or to take off
    "square",  # a patch's form, and a power
    "standard",  # deviation
    "tables",  # of numbers
    "train",  # a verb
    "training",  # a noun
    "transfer",  # of an attack from one model to another
    "transforms",  # of images
    "uniform",  # random numbers
}


def offered_names():
    """Names of built-in plugins and of their entries, but for those that are ordinary words."""
    names = set()
    for plugin in discover():
        if plugin.builtin and plugin.module.startswith("robust_restoration_"):
            entries = [e for kind in plugin.entries.values() for e in kind]
            names |= {plugin.name, *(e.name.rstrip(":").rpartition("/")[2] for e in entries)}
    return names - ORDINARY - set(KINDS)


def test_the_core_names_no_plugin_and_no_entry():
    # In strings, comments and identifiers alike: the core asks the registry for a role.
    names = offered_names()
    assert {"advfilter", "dncnn_b", "hat", "obsatk", "median", "pgd"} <= names
    offending = {
        f"{file.relative_to(CORE)}:{number} names {word!r}"
        for file in sources(CORE)
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        for word in set(re.findall(r"\w+", line)) & names
    }
    assert not offending, "\n".join(sorted(offending))


@pytest.mark.slow
@pytest.mark.parametrize(
    "module",
    ["robust_restoration.degradations.draws", "robust_restoration.contracts.randomness"],
)
def test_a_module_can_be_the_first_to_be_imported(module):
    # The contracts and what images are spoilt by need each other.
    subprocess.run([sys.executable, "-W", "ignore", "-c", f"import {module}"], check=True)

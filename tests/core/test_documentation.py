"""The site's pages: every public name is in the reference, links lead somewhere, snippets parse."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import json
import re
import textwrap
from pathlib import Path

import pytest

import robust_restoration

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md"))
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))
# Type aliases and decorators, which have no documentation of their own.
NOT_SHOWN = {"Batch", "hookimpl"}
# What the notebooks compute, and what is computed in its place.
SMALLER = {
    '"obsatk_auto steps=20"': '"obsatk_auto steps=2"',
    '"obsatk steps=5"': '"obsatk steps=1"',
    "sigma=sigma)": "sigma=sigma, steps=2)",
    "eps=[2 / 255, 5 / 255]": "eps=[5 / 255]",
    "white-box-quick steps=10": "white-box-quick steps=1",
    "[20:180, 150:310]": "[20:84, 150:214]",
    "[128:288, 160:320]": "[128:192, 160:224]",
    "range(8)": "range(1)",
    "steps=300": "steps=3",
    "slice(1500, 1700)": "slice(1500, 1520)",
    "box steps=10": "box steps=1",
}


def hook(name):
    """A hook of the site's builder, which is no package's module."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_public_name_is_in_the_reference():
    text = "\n".join(path.read_text() for path in (DOCS / "reference").glob("*.md"))
    shown = re.findall(r"^::: rr\.(\w+)$", text, re.M)
    assert sorted(shown) == sorted(set(robust_restoration.__all__) - NOT_SHOWN)


def test_the_reference_finds_where_names_are_defined():
    module = hook("public_names")
    assert module.defined_at("psnr") == "robust_restoration.images.metrics.psnr"
    page = module.on_page_markdown("::: rr.psnr\n\ntext ::: rr.nothing\n")
    assert page == "::: robust_restoration.images.metrics.psnr\n\ntext ::: rr.nothing\n"
    with pytest.raises(ValueError, match="no documentation"):
        module.defined_at("Batch")


def test_every_page_is_in_the_menu_and_links_lead_somewhere():
    menu = (ROOT / "mkdocs.yml").read_text()
    for path in [*PAGES, *NOTEBOOKS]:
        if path.name.isupper() or path.stem.isupper():
            continue
        assert path.relative_to(DOCS).as_posix() in menu, f"{path} is not in mkdocs.yml"
    for path in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
            assert (path.parent / link).exists(), f"{path.name} links to {link}"


def test_the_figures_are_a_page_of_the_site():
    module = hook("results_page")
    assert f": {module.PAGE}\n" in (ROOT / "mkdocs.yml").read_text()
    links = re.findall(r"\]\(([^)#:]+)\)", module.page())
    assert len(links) > 3
    for link in links:
        assert (DOCS / link).exists(), f"the page links to {link}"
    for page, link in (("PAPERS.md", "RESULTS.md"), ("for/researchers.md", "../RESULTS.md")):
        text = module.on_page_markdown((DOCS / page).read_text())
        assert f"]({link})" in text
        assert "benchmarks/RESULTS.md)" not in text


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.relative_to(DOCS).as_posix())
def test_snippets_are_python(path):
    for code in re.findall(r"^ *```python\n(.*?)^ *```", path.read_text(), re.M | re.S):
        ast.parse(re.sub(r"^    ", "", code, flags=re.M) if code.startswith("    ") else code)


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.relative_to(DOCS).as_posix())
def test_snippets_know_every_name_they_use(path):
    for code in re.findall(r"^ *```python\n(.*?)^ *```", path.read_text(), re.M | re.S):
        nodes = list(ast.walk(ast.parse(textwrap.dedent(code))))
        names = [node for node in nodes if isinstance(node, ast.Name)]
        known = {node.id for node in names if isinstance(node.ctx, ast.Store)} | set(dir(builtins))
        known |= {a.asname or a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
        assert {node.id for node in names} <= known


def test_commands_are_such_as_the_readme_prints():
    """These are run, by ``test_readme.py``; or they are made by changing options of such a one."""
    readme = (ROOT / "README.md").read_text().replace("\\\n", " ")
    printed = [words.split() for words in re.findall("^robust-restoration (.*)", readme, re.M)]
    for path in PAGES:
        text = path.read_text().replace("\\\n", " ")
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S):
            for line in re.findall("^robust-restoration (.*)", block, re.M):
                words = line.split()
                if words[0] == "new-plugin":  # tests/testing/test_new_plugin.py
                    continue
                near = [set(words) - set(p) for p in printed if p[0] == words[0]]
                assert min(near, key=len) <= {"advfilter"}, f"{path.name}: {line}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_run(path, monkeypatch):
    import matplotlib as mpl

    mpl.use("Agg")
    cells = json.loads(path.read_text())["cells"]
    names: dict[str, object] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            assert cell["execution_count"], "the notebook was saved without being run"
            code = "".join(cell["source"])
            for old, new in SMALLER.items():
                code = code.replace(old, new)
            exec(compile(code, path.name, "exec"), names)

"""Shows ``benchmarks/RESULTS.md`` on the site, and lets links to it from the pages lead there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parent.parent / "benchmarks/RESULTS.md"
PAGE = "RESULTS.md"


def page() -> str:
    """The page's text; its pictures lie in ``docs``, beside it."""
    return SOURCE.read_text(encoding="utf-8").replace("](../docs/", "](")


def on_files(files: Any, config: Any) -> Any:
    """Called by mkdocs with all files: one more."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, PAGE, content=page()))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for every page: in the repository the file lies elsewhere."""
    return re.sub(r"\]\(((?:\.\./)*)\.\./benchmarks/RESULTS\.md", rf"](\1{PAGE}", markdown)

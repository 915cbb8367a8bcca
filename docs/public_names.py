"""Lets a page of the reference ask for public names: ``::: rr.evaluate``.

The package loads its names lazily, which a documentation tool that only reads the source cannot
follow; here each is replaced by where it is defined, so that files can move without the pages.
"""

from __future__ import annotations

import re
from typing import Any

import robust_restoration


def defined_at(name: str) -> str:
    """The module and name that a public name stands for."""
    value: Any = getattr(robust_restoration, name)
    if not hasattr(value, "__qualname__") or value.__module__ == "builtins":
        raise ValueError(f"{name} has no documentation of its own")
    return f"{value.__module__}.{value.__qualname__}"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for every page."""
    return re.sub(r"^::: rr\.(\w+)$", lambda m: f"::: {defined_at(m[1])}", markdown, flags=re.M)

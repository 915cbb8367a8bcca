"""Write a minimal plugin to start from: two files of code, what installs them, and a test."""

from __future__ import annotations

import keyword
import re
import shutil
import tempfile
from pathlib import Path

from robust_restoration.errors import InputError
from robust_restoration.plugins.discovery import discover

PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.24"]
build-backend = "hatchling.build"

[project]
name = "robust-restoration-DISTRIBUTION"
version = "0.1.0"
description = "A plugin of robust_restoration"
requires-python = ">=3.10"
dependencies = ["robust_restoration"]

[project.entry-points.robust_restoration]
NAME = "robust_restoration_NAME"

[tool.hatch.build.targets.wheel]
packages = ["robust_restoration_NAME"]
"""

ENTRIES = '''\
"""What this plugin offers, as data: nothing heavy is imported here."""

from robust_restoration import Entry, hookimpl


@hookimpl
def purifiers():
    """One purifier; attacks, denoisers and defenses are offered by hooks of those names."""
    return [
        Entry(
            "NAME",
            "robust_restoration_NAME.smooth:Smooth",
            summary="averages each pixel with its neighbours",
        )
    ]
'''

PURIFIER = '''\
"""A purifier to begin with: a local mean."""

import torch
import torch.nn.functional as F
from torch import Tensor

from robust_restoration import Purifier


class Smooth(Purifier):
    """Averages each pixel with its eight neighbours.

    Args:
        strength: From 0, which leaves images alone, to 1, the plain mean.
    """

    def __init__(self, *, strength: float = 0.5) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, images: Tensor) -> Tensor:
        """Purify ``images``, (N, C, H, W) in [0, 1]."""
        padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
        mean = F.avg_pool2d(padded, 3, stride=1)
        return torch.lerp(images, mean, self.strength).clamp(0, 1)
'''

TEST = '''\
"""Run with pytest after ``pip install -e .``: the plugin keeps the rules of robust_restoration."""

from robust_restoration import create_purifier
from robust_restoration_testing import check_plugin, check_purifier


def test_the_plugin_is_installed_and_light():
    check_plugin("NAME")


def test_the_purifier_keeps_the_contract():
    check_purifier(create_purifier("NAME"))
'''

DISTRIBUTION = "robust-restoration"
FILES = {
    "pyproject.toml": PYPROJECT,
    "robust_restoration_NAME/__init__.py": ENTRIES,
    "robust_restoration_NAME/smooth.py": PURIFIER,
    "test_robust_restoration_NAME.py": TEST,
}


def write_plugin(name: str, folder: Path | str) -> list[Path]:
    """Write a working plugin: a distribution ``robust-restoration-NAME`` with one purifier.

    Args:
        name: Its name, such as ``my_plugin``: what users call it by; dashes become underscores.
        folder: Where its files go; made if it is not there, and never deleted.

    Returns:
        The files written.

    Raises:
        InputError: If the name is not a plain lower-case name, a plugin of that name is installed,
            or if the folder is a file or has something in it. Nothing is written then.
    """
    name = name.replace("-", "_")
    _check_name(name)
    folder = Path(folder).absolute()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; expected a folder that is new or empty.")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty; give a folder that is new or empty.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    whole = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        for path, content in FILES.items():
            file = whole / path.replace("NAME", name)
            file.parent.mkdir(exist_ok=True)
            text = content.replace("NAME", name).replace("DISTRIBUTION", name.replace("_", "-"))
            file.write_text(text, encoding="utf-8")
        whole.chmod(0o755)  # mkdtemp's own mode is private
        if folder.is_dir():
            for child in whole.iterdir():
                child.rename(folder / child.name)
            whole.rmdir()
        else:
            whole.rename(folder)
    except BaseException:
        shutil.rmtree(whole, ignore_errors=True)
        raise
    return [folder / path.replace("NAME", name) for path in FILES]


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_0123456789") or "plugin"
        plain = f"my_{plain}" if keyword.iskeyword(plain) or plain == "plugin" else plain
        raise InputError(
            f"{name!r} cannot be a plugin's name; expected lower-case letters, digits and "
            f"underscores, beginning with a letter, such as {plain!r}."
        )
    for plugin in discover():
        if plugin.name == name:
            raise InputError(
                f"A plugin {name!r} is installed already, by {plugin.distribution}: "
                "choose another name."
            )

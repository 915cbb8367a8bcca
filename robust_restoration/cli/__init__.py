"""The command line. Commands import what they need when they run, so that help is quick."""

from __future__ import annotations

from . import demo, evaluate, look, purify, train
from .app import app, main

__all__ = ["app", "demo", "evaluate", "look", "main", "purify", "train"]

"""The command line. Commands import what they need when they run, so that help is quick."""

from __future__ import annotations

from . import evaluate, info
from .app import add_plugin_commands, app, main

__all__ = ["add_plugin_commands", "app", "evaluate", "info", "main"]

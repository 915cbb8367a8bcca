"""The command line: how it starts, fails and prints, and commands about plugins and machine.

All other commands are plugins'. Commands import what they need when they run, so that help is
quick.
"""

from __future__ import annotations

from . import info
from .app import add_plugin_commands, app, main

__all__ = ["add_plugin_commands", "app", "info", "main"]

"""The application: how it starts, fails, and prints."""

from __future__ import annotations

import json
import sys
import warnings
from functools import cache
from typing import Annotated, Any

import typer

from robust_restoration.errors import RobustRestorationError

app = typer.Typer(
    name="robust-restoration",
    help="Attack, robustify, measure and purify: adversarial robustness for image restoration.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


def main() -> None:
    """Run the command line: exit status 2 and one plain sentence on bad input."""
    warnings.showwarning = lambda message, *_, **__: say(f"Warning: {message}")
    for noisy in (DeprecationWarning, FutureWarning):
        warnings.simplefilter("ignore", noisy)
    add_plugin_commands()
    sys.path.insert(0, "")  # package.module:function finds modules of the current folder
    try:
        app()
    except RobustRestorationError as error:
        say(f"Error: {error}")
        sys.exit(2)
    except OSError as error:
        say(f"Error: {error}.")
        sys.exit(2)
    except KeyboardInterrupt:
        say("Stopped; what was finished is kept, and the same command goes on from there.")
        sys.exit(130)


@cache
def add_plugin_commands() -> None:
    """Give the application the commands that plugins offer; a broken one is left out.

    Not on import: a plugin's module of commands imports this one, and may be imported first.
    """
    from robust_restoration.plugins.registry import registry
    from robust_restoration.plugins.targets import load_target

    known = registry()
    for name in known.list("commands"):
        try:
            function = load_target(known.find("commands", name)[0].entry)
            app.command(name=name)(function)
        except RobustRestorationError as error:
            say(f"Warning: the command {name!r} is left out: {error}")


def say(text: str) -> None:
    """A line for people, on stderr."""
    sys.stderr.write(text + "\n")


def show(text: Any) -> None:
    """Anything rich prints, on stdout."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:  # a pipe has no width; keep rows on one line
        console = Console(width=200)
    console.print(text, highlight=False)


def emit(content: Any) -> None:
    """JSON on stdout."""
    sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")

"""The application: how it starts, fails, and prints."""

from __future__ import annotations

import re
import signal
import sys
import warnings
from contextlib import suppress
from functools import cache
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robust_restoration.errors import InputError, RobustRestorationError, first_words, one_line
from robust_restoration.files import json_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from robust_restoration.plugins.hooks import Entry

app = typer.Typer(
    name="robust-restoration",
    help="Attack, robustify, measure and purify: adversarial robustness for image restoration.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

STOPPED = 130  # the exit status of what a person interrupted
FORMS = ("json", "md", "png", "csv", "tex")  # of a result
_left: list[tuple[str, Path | None]] = []

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


def main() -> None:
    """Run the command line: exit status 2 and one plain sentence on bad input."""
    warnings.showwarning = lambda message, *_, **__: say(f"Warning: {message}")
    for noisy in (DeprecationWarning, FutureWarning):
        warnings.simplefilter("ignore", noisy)
    leaves("nothing was written")
    # Launchers that end their processes, and kill, leave no file half written either.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    command = _with_all_commands()
    sys.path.insert(0, "")  # package.module:function finds modules of the current folder
    try:
        command(prog_name="robust-restoration")
    except RobustRestorationError as error:
        say(f"Error: {error}")
        sys.exit(2)
    except OSError as error:
        # Without the number that the system gives it: people look for words.
        said = error.strerror or str(error)
        place = f"{error.filename}: {said}" if error.filename else said
        say(f"Error: {place}. Give another path, or see to the rights and the room there.")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(stopped())
    except SystemExit as end:
        sys.exit(stopped() if end.code == STOPPED else end.code)


@cache
def _with_all_commands() -> Any:
    """The application, and what plugins add to it, ready to be run."""
    add_plugin_commands()
    return typer.main.get_command(app)


def stopped() -> int:
    """Say what a command that was interrupted leaves behind; gives the exit status."""
    sentence, state = _left[-1]
    if state is not None and not any(state.parent.glob(f"{escape(state.stem)}*")):
        sentence = "nothing was finished yet"
    say(f"Stopped; {sentence}.")
    return STOPPED


def leaves(sentence: str, state: Path | None = None) -> None:
    """What stands, from now on, if this command is interrupted: the end of a sentence.

    Args:
        sentence: Its end.
        state: The file where it stands, if it is one that is there only after a part of the work.
    """
    _left.append((sentence, state))


def _show_version(asked: bool) -> None:
    if asked:
        from robust_restoration import __version__

        sys.stdout.write(f"robust_restoration {__version__}\n")
        raise typer.Exit


@app.callback()
def start(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Attack, robustify, measure and purify: adversarial robustness for image restoration."""


@cache
def add_plugin_commands() -> None:
    """Give the application the commands that plugins offer; what is broken is left out.

    Not on import: a plugin's module of commands imports this one, and may be imported first.
    A command has the name of one of the core's or of an earlier plugin's only to be left out.
    """
    from robust_restoration.plugins.containment import prints_on_stderr
    from robust_restoration.plugins.registry import registry

    taken = {c.name or getattr(c.callback, "__name__", "") for c in app.registered_commands}
    taken |= {str(group.name) for group in app.registered_groups}
    for offer in registry().offers["commands"]:
        name = offer.entry.name
        try:
            if name in taken:
                raise InputError(f"there is a command {name!r} already")
            if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
                raise InputError("expected lower-case letters, digits and dashes")
            with prints_on_stderr():
                _add(name, offer.entry)
        except BaseException as error:  # a plugin may raise anything
            why = first_words if isinstance(error, RobustRestorationError) else one_line
            said = why(error).rstrip(".")
            say(f"Warning: the command {name!r} of {offer.plugin!r} is left out: {said}.")
        else:
            taken.add(name)


def _add(name: str, entry: Entry) -> None:
    from robust_restoration.plugins.targets import load_target

    function = load_target(entry)
    if isinstance(function, typer.Typer):  # several commands under one name
        typer.main.get_command(function)
        app.add_typer(function, name=name)
        return
    alone = typer.Typer()  # typer looks at a signature late, when one fault ends all commands
    alone.command(name=name)(function)
    typer.main.get_command(alone)
    app.command(name=name)(function)


def say(text: str) -> None:
    """A line for people, on stderr; what files say in it cannot move the cursor or the colours."""
    shown = "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)
    sys.stderr.write(shown + "\n")


def show(text: Any) -> None:
    """Anything rich prints, on stdout."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:  # a pipe has no width; keep rows on one line
        console = Console(width=200)
    console.print(text, highlight=False)


def emit(content: Any) -> None:
    """JSON on stdout."""
    sys.stdout.write(json_text(content))


def hand_over(result: Any, out: Path | None, as_json: bool) -> None:
    """Write a result beside ``out``, in all the forms that it has, and print it in any case."""
    try:
        if out is not None:
            _write(result, out)
    finally:
        if as_json:
            emit(result.to_dict())
        else:
            show(result if hasattr(result, "__rich__") else result.to_markdown())


def _write(result: Any, out: Path) -> None:
    from robust_restoration.errors import UnknownNameError
    from robust_restoration.files import atomic_path

    def write_text(path: Path, text: str) -> None:
        with atomic_path(path) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")

    ways: dict[str, Callable[[Path], Any]] = {
        "json": result.to_json,
        "md": lambda path: write_text(path, result.to_markdown()),
        "png": result.plot,
    }
    if hasattr(result, "to_csv"):
        ways["csv"] = result.to_csv
    if hasattr(result, "to_latex"):
        ways["tex"] = lambda path: write_text(path, result.to_latex())
    written = []
    for kind, write in ways.items():
        with suppress(UnknownNameError):  # no plugin in use makes this form
            write(beside(out, kind))
            written.append(str(beside(out, kind)))
    say(f"Wrote {', '.join(written)}.")


def beside(out: Path, kind: str) -> Path:
    """The file of a kind that a result called ``out``, or ``out.json``, is written to.

    Raises:
        InputError: If ``out`` names no file.
    """
    if not out.name or out.name == "..":
        raise InputError(f"-o is {str(out)!r}, a folder; expected what the results are called.")
    name = out.stem if out.suffix.removeprefix(".") in FORMS else out.name
    return out.with_name(f"{name}.{kind}")


def check_out(out: Path | None, overwrite: bool, *, goes_on: bool = False) -> None:
    """See, before all work, that a result can be written beside ``out`` and replaces nothing.

    Args:
        out: Of `hand_over`.
        overwrite: Whether it may replace files.
        goes_on: Whether OUT.json may be there, of a run that was stopped.

    Raises:
        InputError: If one of its files is there already.
    """
    from robust_restoration.files import check_folder

    if out is None:
        leaves("nothing is kept; with -o it would be")
        return
    check_folder(out.parent)
    there = [path for kind in FORMS if (path := beside(out, kind)).exists()]
    if goes_on:
        state = beside(out, "json")
        kept = f"what was finished is kept in {state}, and the same command goes on from there"
        leaves(kept, state)
        if state in there:
            return
    if there and not overwrite:
        raise InputError(f"{there[0]} is there already; give another -o, or --overwrite.")

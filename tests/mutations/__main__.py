"""Break the code on purpose, one fault at a time, and see whether its tests notice.

    python tests/mutations                  # all faults, some ten minutes
    python tests/mutations -k attacks       # those whose file or reason holds a word
    python tests/mutations --list

The tree is copied to a temporary folder, and the copy is what is broken, imported and tested; the
working tree is never touched. The named tests must pass before any fault, and at least one of them
must fail with it. Exits with 1 if a fault survives, and with 2 if the list itself is wrong: a text
that is not there, a test that does not exist or fails without any fault.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from faults import FAULTS, Fault

REPOSITORY = Path(__file__).resolve().parents[2]
LEFT_OUT = (".git", "__pycache__", ".*_cache", "build", "dist", "*.egg-info", "runs", "results")
FAILED = 1  # pytest's exit status where tests ran and some failed
LONGEST, STRANGE = 1200, 99  # seconds of a run, and the exit status of one that did not end
FOREIGN = ("torchattacks", "timm", "kornia", "accelerate", "typer", "skimage.metrics",
           "matplotlib.figure", "safetensors.torch", "scipy.stats")
WHAT_IS_IMPORTED = """
import importlib.metadata as metadata, importlib.util as util
points = metadata.entry_points(group="robust_restoration")
names = {"robust_restoration", *(point.value for point in points)}
print(*(util.find_spec(name).origin for name in sorted(names)), sep="\\n")
"""


def main() -> int:
    """Apply the faults that are asked for, and report the survivors."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-k", metavar="WORD", default="", help="only faults with this word")
    parser.add_argument("--list", action="store_true", help="say what there is, and stop")
    options = parser.parse_args()
    chosen = [f for f in FAULTS if options.k in f"{f.file} {f.why} {' '.join(f.tests)}"]
    if options.list:
        say(*(f"{fault.file}: {fault.why}" for fault in chosen), f"{len(chosen)} faults")
        return 0
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        copy = Path(folder) / "repository"
        shutil.copytree(REPOSITORY, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
        check_imports(copy)
        return apply(chosen, copy)


def apply(faults: list[Fault], copy: Path) -> int:
    """Run the tests without any fault, then with each."""
    began, wrong, survivors = time.monotonic(), [], []
    for fault in faults:
        count = (copy / fault.file).read_text(encoding="utf-8").count(fault.old)
        if count != 1:
            wrong.append(f"{fault.file}: {fault.why}: its text stands there {count} times")
    tests = sorted({test for fault in faults for test in fault.tests})
    status, output = run_tests(copy, tests)
    if status:
        say(*output.splitlines()[-30:])
        wrong.append("the tests do not pass without any fault")
    if wrong:
        say(*wrong)
        return 2
    for number, fault in enumerate(faults, start=1):
        file = copy / fault.file
        whole = file.read_text(encoding="utf-8")
        file.write_text(whole.replace(fault.old, fault.new), encoding="utf-8")
        status, output = run_tests(copy, fault.tests, "-x")
        file.write_text(whole, encoding="utf-8")
        verdict = {0: "SURVIVED", FAILED: "caught"}.get(status, f"BROKEN ({status})")
        say(f"{number:3}/{len(faults)} {verdict:8} {fault.file}: {fault.why}")
        if status == 0:
            survivors.append(fault)
        elif status != FAILED:
            say(*output.splitlines()[-15:])
            wrong.append(fault.why)
    minutes = (time.monotonic() - began) / 60
    say(f"{len(survivors)} survivors of {len(faults)} faults, {minutes:.1f} min.")
    return 2 if wrong else 1 if survivors else 0


def run_tests(copy: Path, tests: list[str] | tuple[str, ...], *options: str) -> tuple[int, str]:
    """pytest's exit status and output for some tests of the copy, in a fork of this process.

    Here is imported what is not ours, which takes longer than most tests; nothing of ours is.
    """
    for name in FOREIGN:
        importlib.import_module(name)
    with tempfile.TemporaryFile("w+") as output:
        child = os.fork()
        if child:
            _, ended = os.waitpid(child, 0)
            output.seek(0)
            return os.waitstatus_to_exitcode(ended), output.read()
        try:
            signal.alarm(LONGEST)
            for stream in (1, 2):
                os.dup2(output.fileno(), stream)
            os.chdir(copy)
            os.environ.update(environment(copy))
            sys.path[:0] = [str(copy), str(copy / "plugins")]
            sys.dont_write_bytecode = True
            status = int(pytest.main(["-q", "-p", "no:cacheprovider", *options, *tests]))
            sys.stdout.flush()
            os._exit(status)
        finally:
            os._exit(STRANGE)


def environment(copy: Path) -> dict[str, str]:
    """Of processes that import the copy, where the installed package is the working tree."""
    data = os.environ.get("ROBUST_RESTORATION_DATA") or REPOSITORY.parent / "shared/data"
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(copy), str(copy / "plugins")]),
        "PYTHONDONTWRITEBYTECODE": "1",  # a fault may leave a file's size and second as they were
        "ROBUST_RESTORATION_DATA": str(data),
    }


def check_imports(copy: Path) -> None:
    """Exit unless the core and each plugin are imported from the copy."""
    words = [sys.executable, "-c", WHAT_IS_IMPORTED]
    run = subprocess.run(
        words, cwd=copy, env=environment(copy), capture_output=True, text=True, check=True
    )
    strays = [path for path in run.stdout.split("\n") if path and not path.startswith(str(copy))]
    if strays:
        sys.exit(f"These would be imported in place of the copy: {', '.join(strays)}")


def say(*lines: str) -> None:
    """Lines on stdout, at once."""
    for line in lines:
        print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())

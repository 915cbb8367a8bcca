"""Third parties' distributions, built and installed for real, found through entry points."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
TESTS = Path(__file__).resolve().parents[1]


def run(command, **options):
    """Run a command; its output is shown where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of a fresh environment with both distributions installed in it.

    It sees what is installed here through a .pth file, so that torch is not installed again; what
    it gets of its own are the two wheels.
    """
    folder = tmp_path_factory.mktemp("third_party")
    wheels = folder / "wheels"
    for name in ("example_plugin", "broken_plugin"):
        source = shutil.copytree(
            TESTS / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
        )
        run([*pip("wheel"), "--no-deps", "--no-build-isolation", "-w", str(wheels), str(source)])
    environment = folder / "environment"
    run([sys.executable, "-m", "venv", "--without-pip", str(environment)])
    interpreter = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = Path(run([str(interpreter), "-c", code]).stdout.strip())
    ours = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    lines = [f"import site; site.addsitedir({path!r})" for path in ours]
    (own / "what_is_installed_here.pth").write_text("\n".join(lines) + "\n")
    found = sorted(map(str, wheels.glob("*.whl")))
    assert len(found) == 2
    run([*pip("install"), "--no-deps", "--no-index", "--target", str(own), *found])
    return str(interpreter)


def pip(command):
    """A pip that asks nobody anything."""
    return [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", command]


def in_environment(python, code, folder):
    """Run code there, away from this repository; returns what it prints as JSON, and stderr."""
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONWARNINGS")}
    done = run([python, "-c", code], cwd=folder, env=clean)
    return json.loads(done.stdout), done.stderr


def test_both_are_listed_and_the_broken_one_says_why(python, tmp_path):
    code = """
import json, sys
import robust_restoration as rr
rows = {p.name: [p.distribution, p.version, p.status, p.reason, list(p.entries)]
        for p in rr.discover()}
names = [rr.list_denoisers("shr*"), rr.list_attacks("one_*"), rr.list_purifiers("dit*")]
rr.list_attacks(), rr.create_purifier("dither")  # no second warning
print(json.dumps([rows, names]))
"""
    (rows, names), stderr = in_environment(python, code, tmp_path)
    assert names == [["shrink"], ["one_step"], ["dither"]]
    assert rows["example"] == [
        "robust-restoration-example",
        "0.3.0",
        "active",
        "",
        ["denoisers", "attacks", "purifiers"],
    ]
    distribution, version, status, reason, entries = rows["broken"]
    assert (distribution, version, status) == ("robust-restoration-broken", "9.9.0", "broken")
    assert reason == "RuntimeError: this plugin was made for another version"
    assert entries == []
    assert {"attacks", "advfilter", "transforms"} <= rows.keys()
    assert stderr.count("PluginWarning") == 1
    assert stderr.count("pip uninstall robust-restoration-broken") == 1


def test_all_three_work_by_name(python, tmp_path):
    code = """
import json, torch
import robust_restoration as rr
torch.manual_seed(0)
torch.set_num_threads(1)
clean = torch.linspace(0.2, 0.8, 32).expand(2, 3, 32, 32)
noisy = (clean + 0.1 * torch.randn(2, 3, 32, 32)).clamp(0, 1)
denoiser = rr.create_denoiser("example/shrink", strength=2.0)
error = lambda x: float((denoiser(x, 0.1) - clean).square().mean())
model = torch.nn.Sequential(torch.nn.AvgPool2d(3, 1, 1))
attack = rr.create_attack("one_step", model, eps=0.05)
attacked = attack(noisy, clean)
print(json.dumps({
    "noisy": float((noisy - clean).square().mean()),
    "restored": error(noisy),
    "before": float((model(noisy) - clean).square().mean()),
    "after": float((model(attacked) - clean).square().mean()),
    "levels": len(rr.create_purifier("dither", levels=4)(clean).unique()),
}))
"""
    found, _ = in_environment(python, code, tmp_path)
    assert found["restored"] < 0.6 * found["noisy"]
    assert found["after"] > 1.1 * found["before"]
    assert found["levels"] <= 4


def test_all_three_and_the_plugin_conform(python, tmp_path):
    code = """
import json, math, torch
import robust_restoration as rr
from robust_restoration_testing import (
    ConformanceError, check_attack, check_denoiser, check_plugin, check_purifier)
torch.set_num_threads(1)
check_plugin("example")
check_denoiser(rr.create_denoiser("shrink"), sizes=((8, 8), (7, 9)))
check_purifier(rr.create_purifier("dither"), sizes=((8, 8), (7, 9)))
model = torch.nn.Conv2d(3, 3, 3, padding=1)
x = torch.rand(2, 3, 9, 8)
check_attack(rr.create_attack("one_step", model), x, x.round())
try:
    check_plugin("broken")
except ConformanceError as error:
    print(json.dumps(str(error)))
"""
    message, _ = in_environment(python, code, tmp_path)
    assert "'broken' is broken" in message
    assert "made for another version" in message


def test_the_wheel_holds_nothing_but_the_plugin(python):
    own = Path(python).parents[1]
    names = {path.name for path in own.rglob("robust_restoration*") if path.is_dir()}
    assert names == {
        "robust_restoration_example",
        "robust_restoration_example-0.3.0.dist-info",
        "robust_restoration_broken-9.9.0.dist-info",
    }

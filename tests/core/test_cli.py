"""The command line as a user meets it."""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import robust_restoration as rr
from robust_restoration import cli
from robust_restoration.cli.app import say
from robust_restoration.images.files import read_image, write_image
from robust_restoration.models.weights import read_weights

cli.add_plugin_commands()
COMMANDS = [c.name or c.callback.__name__ for c in cli.app.registered_commands]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name in ("a.png", "deep/b.webp", "gray.png"):
        channels = 1 if name == "gray.png" else 3
        write_image(torch.rand(channels, 40, 33), folder / name)
    return folder


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    folder = tmp_path / "classes"
    rows = []
    for number in range(12):
        write_image(torch.rand(3, 36, 40), folder / f"{number}.png")
        rows.append({"file": f"{number}.png", "label": number % 3})
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["file", "label"])
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture
def classifier(tmp_path: Path) -> str:
    import timm
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = timm.create_model("test_resnet")
    save_file(model.state_dict(), tmp_path / "tiny.safetensors")
    return f"test_resnet:{tmp_path / 'tiny.safetensors'}"


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_an_example(run: Run, command: str) -> None:
    status, out, _ = run(command, "--help")
    assert status == 0
    assert "Example:" in out
    assert f"robust-restoration {command}" in out


def test_help_names_all_commands(run: Run) -> None:
    status, out, _ = run("--help")
    assert status == 0
    assert all(command in out for command in COMMANDS)


def test_plugins(run: Run, fake_plugin: Callable[..., Path]) -> None:
    fake_plugin("robust_restoration_ill", "raise RuntimeError('it is ill')", name="ill")
    status, out, _ = run("plugins")
    assert status == 0
    assert "advfilter" in out
    assert "it is ill" in out
    rows = {row["name"]: row for row in json.loads(run("plugins", "--json")[1])}
    assert rows["ill"]["status"] == "broken"
    assert "it is ill" in rows["ill"]["reason"]
    assert {"name", "summary", "paper"} == set(rows["advfilter"]["offers"]["purifiers"][0])


def test_plugins_tells_entries_that_lead_nowhere(
    run: Run, fake_plugin: Callable[..., Path]
) -> None:
    targets = ("zz_not_there.deeper:Thing", "robust_restoration_lost:nothing", "math:sqrt",
               "robust_restoration_lost.sub:Thing", "robust_restoration_lost:weights/a.safetensors")
    entries = [f"Entry('e{number}', {target!r})" for number, target in enumerate(targets)]
    fake_plugin("robust_restoration_lost", "from robust_restoration import Entry, hookimpl\n"
                f"@hookimpl\ndef purifiers():\n    return [{', '.join(entries)}]", name="lost")
    rows = {row["name"]: row for row in json.loads(run("plugins", "--json")[1])}
    assert rows.pop("lost")["reason"] == (
        "'e0' leads nowhere: there is no module 'zz_not_there'; "
        "'e1' leads nowhere: 'robust_restoration_lost' has no 'nothing'; "
        "'e3' leads nowhere: there is no module 'robust_restoration_lost.sub'"
    )
    assert not any(row["reason"] for row in rows.values())  # all of the built-in plugins' are there
    assert "no module 'zz_not_there'" in run("plugins")[1]


def test_list_and_env(run: Run) -> None:
    status, out, _ = run("list", "attacks", "*pgdl2")
    assert (status, out.split()[0]) == (0, "torchattacks/pgdl2")
    status, _, err = run("list", "attack")
    assert status == 2
    assert "Did you mean 'attacks'" in err
    assert json.loads(run("env", "--json")[1])["torch"] == torch.__version__.split("+")[0]


def test_an_empty_list_says_that_it_is(run: Run) -> None:
    status, out, err = run("list", "weights")
    assert (status, out.strip()) == (0, "")
    assert "No plugin lists weights" in err
    assert "robust-restoration models" in err


def test_version(run: Run) -> None:
    status, out, _ = run("--version")
    assert (status, out) == (0, f"robust_restoration {rr.__version__}\n")


@pytest.mark.slow
def test_one_entry_is_listed_with_its_options(run: Run) -> None:
    status, out, _ = run("list", "attacks", "pgdl2")
    assert (status, out.split(":")[0]) == (0, "torchattacks/pgdl2")
    found = json.loads(run("list", "attacks", "pgd", "--json")[1])
    assert found["name"] == "torchattacks/pgd"
    assert {"eps", "steps"} <= found["options"].keys()
    status, out, _ = run("list", "denoisers", "dncnn_b")
    assert status == 0
    assert all(word in out for word in ("depth", "20", "features", "arXiv:2201.04397", "hat, nt"))
    (row,) = (
        r for r in json.loads(run("list", "denoisers", "--json")[1]) if r["name"] == "dncnn_b"
    )
    assert {"hat", "nt"} <= set(row["weights"])
    for kind in ("defenses", "purifiers"):
        for entry in json.loads(run("list", kind, "--json")[1]):
            status, out, err = run("list", kind, entry["name"], "--json")
            assert status == 0, err
            assert json.loads(out)["name"] == entry["name"]
    status, _, err = run("list", "purifiers", "meidan")
    assert (status, "Did you mean 'median'" in err) == (2, True)


@pytest.mark.slow
def test_listing_loads_no_torch_and_is_quick() -> None:
    code = (
        "import sys; sys.argv = ['x', 'list', 'denoisers']\n"
        "from robust_restoration.cli import main\n"
        "try: main()\nexcept SystemExit: pass\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    begun = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(
        [sys.executable, "-m", "robust_restoration.cli", "plugins"], check=True, capture_output=True
    )
    spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - begun
    assert spent < 1.5  # about 0.4 s of processor time; importing torch alone takes more than this


COMMAND = """
from robust_restoration import Entry, hookimpl

@hookimpl
def commands():
    return [Entry(n, f"{t}:command") for n, t in ENTRIES]
"""


@pytest.mark.slow
def test_a_plugins_commands_disturb_nothing(
    fake_plugin: Callable[..., Path], tmp_path: Path
) -> None:
    site = fake_plugin(
        "zz_commands",
        "print('loud')\n"
        + COMMAND.replace(
            "ENTRIES",
            repr(
                [
                    ("purify", "zz_good"),
                    ("weights", "zz_good"),
                    ("demo", "zz_good"),
                    ("zz-exit", "zz_exit"),
                    ("zz-stop", "zz_stop"),
                    ("zz-type", "zz_type"),
                    ("zz-none", "zz_none"),
                    ("Zz_Odd", "zz_good"),
                    ("zz-good", "zz_good"),
                ]
            ),
        ),
    )
    good = 'print("loud")\ndef command():\n    """Say it. Example: x"""\n    print("good")\n'
    (site / "zz_good.py").write_text(good)
    (site / "zz_exit.py").write_text("raise SystemExit(0)")
    (site / "zz_stop.py").write_text("raise KeyboardInterrupt")
    (site / "zz_type.py").write_text(
        "import typer\nfrom typing import Annotated\n"
        "def command(x: Annotated[int, typer.Option(), typer.Argument()]):\n    pass\n"
    )
    (site / "zz_none.py").write_text("command = None")

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "robust_restoration.cli", *words],
            env={**os.environ, "PYTHONPATH": str(site)}, capture_output=True, text=True,
        )

    done = call("plugins", "--json")
    assert done.returncode == 0
    assert "zz_commands" in {row["name"] for row in json.loads(done.stdout)}
    left_out = ("purify", "weights", "demo", "zz-exit", "zz-stop", "zz-type", "zz-none", "Zz_Odd")
    for name in left_out:
        assert f"the command {name!r} of 'zz_commands' is left out: " in done.stderr
    assert "there is a command 'purify' already" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Purify image files" in call("purify", "--help").stdout
    assert call("zz-good").stdout == "good\n"
    assert "purify" in call("--help").stdout


def test_purify_a_folder_with_a_damaged_image(run: Run, photos: Path, tmp_path: Path) -> None:
    (photos / "broken.jpg").write_bytes(b"not an image")
    before = {p: p.read_bytes() for p in photos.rglob("*") if p.is_file()}
    out = tmp_path / "out"
    status, _, err = run("purify", photos, "-o", out, "--purifier", "median")
    assert status == 1
    assert "3 purified" in err
    assert "broken.jpg is damaged" in err
    assert {p: p.read_bytes() for p in photos.rglob("*") if p.is_file()} == before
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*.*")) == [
        "a.png", "deep/b.webp", "gray.png"
    ]
    assert read_image(out / "gray.png").shape == (1, 40, 33)
    status, text, _ = run("purify", photos, "-o", out, "--purifier", "median", "--json")
    assert len(json.loads(text)["kept"]) == 3


def test_purify_with_shipped_weights_at_any_size(run: Run, photos: Path, tmp_path: Path) -> None:
    status, _, err = run(
        "purify", photos / "a.png", photos / "gray.png", "-o", tmp_path / "out",
        "--classifier", "resnet18",
    )
    assert status == 0, err
    assert read_image(tmp_path / "out/a.png").shape == (3, 40, 33)
    status, _, err = run(
        "purify", photos / "a.png", "-o", tmp_path / "same",
        "--purifier", "advfilter=general",
    )
    assert status == 0, err
    assert torch.equal(read_image(tmp_path / "same/a.png"), read_image(tmp_path / "out/a.png"))


def test_purify_never_replaces_an_original(run: Run, photos: Path) -> None:
    status, _, err = run("purify", photos, "-o", photos, "--purifier", "median")
    assert status == 2
    assert "would replace an original" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["purify", "none/", "-o", "out"], "There is no file or folder none"),
        (["purify", ".", "-o", "out"], "No image was found"),
        (["evaluate", "--classifier", "resnet1", "--data", ".", "--purifier", "median"],
         "is not a timm model"),
        (["evaluate", "--classifier", "w.pth", "--data", ".", "--purifier", "median"],
         "write which architecture"),
        (["new-plugin", "not a name"], "not a name"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run(*words)
    assert status == 2
    assert out == ""
    assert sentence in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_train_then_evaluate(run: Run, classes: Path, classifier: str, tmp_path: Path) -> None:
    (classes / "0.png").write_bytes(b"damaged")
    words = ["train", "advfilter", "--classifier", classifier, "--data", classes, "--size", 32,
             "--network", "width=0.05", "--steps", 4, "--batch-size", 4, "--set", "per_image=2",
             "--set", "attack_steps=1", "--set", f"cache={tmp_path / 'cache'}",
             "-o", tmp_path / "run"]
    status, _, err = run(*words)
    assert status == 0, err
    weights = tmp_path / "run/advfilter.safetensors"
    card = json.loads(weights.with_suffix(".json").read_text())
    assert card["classifier"].startswith("test_resnet")
    assert "11 images, 1 damaged" in card["data"]
    assert card["minutes"] >= 0
    before, _ = read_weights(weights)
    assert run(*words)[0] == 0  # a finished run is taken as it is
    assert all(torch.equal(t, before[k]) for k, t in read_weights(weights)[0].items())
    status, _, err = run(*[w if w != 4 else 5 for w in words])
    assert status == 2
    assert "steps=4" in err
    further = [*words[:-1], tmp_path / "further", "--init-weights", weights, "--lr", 1e-12]
    assert run(*further)[0] == 0
    after, _ = read_weights(tmp_path / "further/advfilter.safetensors")
    trained = {k: t for k, t in after.items() if ".running_" not in k and ".num_" not in k}
    assert all(torch.allclose(t, before[k], atol=1e-6) for k, t in trained.items())
    out = tmp_path / "results/tiny"
    status, text, err = run(
        "evaluate", "--classifier", classifier, "--data", classes, "--size", 32,
        "--purifier", f"advfilter={weights}", "--purifier", "median", "--eps", 0.1,
        "--threat", "gray-box steps=2", "--threat", "white-box-quick steps=2", "--threat",
        "black-box n_queries=5", "--no-checks", "-o", out,
    )
    assert status == 1, err  # all is done, and one image was skipped
    assert "0.png is damaged" in err
    assert text.count("median") >= 3  # once a threat
    assert {p.name for p in out.parent.iterdir()} == {
        "tiny.json", "tiny.md", "tiny.tex", "tiny.png", "tiny.csv"
    }
    rows = json.loads((out.parent / "tiny.json").read_text())["summary"]
    assert len([row for row in rows if not row["control"]]) == 3 * (1 + 3)


def test_unknown_option_of_a_command(run: Run) -> None:
    assert run("plugins", "--jsno")[0] == 2


def test_train_has_an_option_for_each_setting_of_the_loop(run: Run) -> None:
    from dataclasses import fields

    from robust_restoration.training import Settings

    shown = run("train", "--help")[1]
    for setting in fields(Settings):
        assert f"--{setting.name.replace('_', '-')}" in shown
    assert "Adam's, where" in shown  # as the settings' own docstring says
    words = ("train", "standard", "--denoiser", "dncnn", "--data", "x", "-o", "y", "--steps", "1")
    for option, value in (("--betas", "0.5"), ("--betas", "0.5,2"), ("--milestones", "3")):
        status, _, err = run(*words, option, value)
        assert (status, f"{option[2:]} is " in err) == (2, True), err


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("list purif", {"purifiers"}),
        ("list attacks obsatk", {"obsatk", "obsatk_auto"}),
        ("evaluate --denoiser dncnn_b=nt", {"dncnn_b=nt", "dncnn_b=nt_25"}),
        ("evaluate --data set12", {"set12", "set12-adv-l2", "set12-adv-linf"}),
        ("train trad", {"trades"}),
        ("radius --denoiser ffd", {"ffdnet", "ffdnet_test"}),
    ],
)
def test_the_shell_completes_names(
    typed: str, offered: set[str], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = f"robust-restoration {typed}"
    monkeypatch.setenv("_ROBUST_RESTORATION_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    assert set(run()[1].split()) == offered


def test_a_result_s_name_may_end_in_one_of_its_forms() -> None:
    """``-o result.json`` wrote result.json.json."""
    from robust_restoration.cli.app import beside

    assert beside(Path("a/r.json"), "csv") == Path("a/r.csv")
    assert beside(Path("r.v2"), "json") == Path("r.v2.json")
    assert beside(Path("r"), "md") == Path("r.md")


def test_what_files_say_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    say("Error: a\x1b[31m\x00\x9b2J is é.")
    assert capsys.readouterr().err == "Error: a?[31m??2J is é.\n"

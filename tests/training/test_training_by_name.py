"""Training by name: what can be trained, how options are given, and that a recipe repeats it."""

import csv
import os
import shlex

import pytest
import torch
import yaml
from robust_restoration_defenses.patches import Patches
from robust_restoration_testing import ConformanceError, check_defense, check_plugin
from robust_restoration_training import train_by_name
from robust_restoration_training.named_recipes import load_recipe, suited
from robust_restoration_training.packing import pack_run
from robust_restoration_training.recipe_file import read_recipe, write_recipe
from torch import nn

import robust_restoration as rr
from robust_restoration.errors import DataError, InputError, NoLabelsError, UnknownNameError
from robust_restoration.images.files import write_image
from robust_restoration.models.shipped import model_card
from robust_restoration.models.weights import read_weights
from robust_restoration.plugins.registry import registry
from robust_restoration.training.recipes import Recipe

pytestmark = pytest.mark.slow  # each of them trains

QUICK = {"steps": 2, "batch_size": 4, "progress": False, "precision": "fp32"}
CLASSIFIER = """
import torch
from torch import nn

def tiny():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
            nn.Flatten(), nn.Linear(16, 3),
        )
"""
ADVFILTER = {"per_image": 2, "attack_steps": 1}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A current folder with labelled images ``labelled``, images ``photos`` and a classifier."""
    draw = torch.Generator().manual_seed(0)
    rows = []
    for number in range(12):
        rough = torch.rand(1, 3, 6, 6, generator=draw)
        image = nn.functional.interpolate(rough, size=(32, 32), mode="bilinear")[0]
        write_image(image, tmp_path / f"labelled/{number}.png")
        write_image(image[:1], tmp_path / f"photos/{number}.png")
        rows.append({"file": f"{number}.png", "label": number % 3})
    with (tmp_path / "labelled/labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["file", "label"])
        writer.writeheader()
        writer.writerows(rows)
    (tmp_path / "tinymodule.py").write_text(CLASSIFIER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("ROBUST_RESTORATION_CACHE", str(tmp_path / "cache"))
    return tmp_path


def same(one, two):
    a, b = (read_weights(path)[0] for path in (one, two))
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# -- what can be trained ------------------------------------------------------------------------


def test_a_purifier_from_a_folder_in_python(here):
    from tinymodule import tiny

    purifier = rr.create_purifier("filtering", width=0.05)
    before = [p.clone() for p in purifier.parameters()]
    defense = rr.create_defense("advfilter", classifier=tiny().eval(), **ADVFILTER)
    rr.train(purifier, defense, "labelled", steps=2, batch_size=4, progress=False, out="run")
    recipe = read_recipe("run/recipe.yaml")
    assert (recipe.trains, recipe.name, recipe.classifier) == (
        "purifier", "filtering", "sequential"
    )
    assert recipe.defense_options == ADVFILTER
    assert any(not torch.equal(a, b) for a, b in zip(before, purifier.parameters(), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("defense", ["madry", "trades"])
def test_a_classifier_itself(here, run, defense):
    status, _, err = run(
        "train", defense, "--classifier", "tinymodule:tiny", "--data", "labelled", "--steps", 2,
        "--batch-size", 4, "--set", "steps=1", "--set", "eps=8", "-o", "run",
    )
    assert status == 0, err
    trained, header = read_weights(here / "run/sequential.safetensors")
    from tinymodule import tiny

    model = tiny()
    assert header["kind"] == "classifiers"
    assert trained.keys() == model.state_dict().keys()
    assert not torch.equal(trained["0.weight"], model[0].weight)
    recipe = read_recipe(here / "run/recipe.yaml")
    assert recipe.defense_options == {"steps": 1, "eps": 8 / 255}
    assert (recipe.trains, recipe.name) == ("classifier", "tinymodule:tiny")
    status, _, err = run("train", "--recipe", "run/recipe.yaml", "-o", "again")
    assert status == 0, err
    assert same("run/sequential.safetensors", "again/sequential.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("size", [(), ("--size", 24)])
def test_a_purifier_for_a_classifier_without_labels(here, run, monkeypatch, size):
    """It said that a folder of photographs holds no labels, which are not used."""
    monkeypatch.setattr("robust_restoration_advfilter.clean_images.USUAL_SIZE", 32)
    words = ("train", "advfilter", "--classifier", "tinymodule:tiny", "--data", "photos", *size)
    few = ("--steps", 1, "--batch-size", 2, "--limit", 4, "--network", "width=0.05")
    options = ("--set", "per_image=1", "--set", "attack_steps=1")
    status, _, err = run(*words, *few, *options, "-o", "run")
    assert status == 0, err
    assert (here / "run/advfilter.safetensors").is_file()


def test_labels_are_asked_for_where_they_are_needed(here):
    with pytest.raises(NoLabelsError, match=r"images without labels.*labels\.csv"):
        train_by_name("madry", "photos", "run", classifier="tinymodule:tiny", **QUICK)


def test_a_denoiser_as_a_purifier_without_a_classifier(here):
    path = train_by_name(
        "hat", "photos", "run", purifier="denoiser:dncnn_test", options={"patch": 20}, **QUICK
    )
    assert path.name == "dncnn_test.safetensors"
    weights = str(path)
    rr.create_denoiser("dncnn_test", weights=weights)
    purifier = rr.create_purifier("denoiser:dncnn_test", weights=weights)
    assert purifier(torch.rand(1, 3, 16, 16)).shape == (1, 3, 16, 16)
    assert pack_run("run", "packed.safetensors").is_file()
    rr.create_denoiser("dncnn_test", weights="packed.safetensors")
    (here / "run/history.json").write_text("[{")
    with pytest.raises(DataError, match=r"history\.json is damaged.*remove it to pack"):
        pack_run("run", "again.safetensors")


def test_a_denoiser_as_a_purifier_for_a_classifier(here, run):
    """It took a width that no denoiser has."""
    status, _, err = run(
        "train", "advfilter", "--purifier", "denoiser:dncnn_test", "--classifier",
        "tinymodule:tiny", "--data", "labelled", "--steps", 2, "--batch-size", 4, "--set",
        "per_image=2", "--set", "attack_steps=1", "-o", "run",
    )
    assert status == 0, err
    rr.create_purifier("denoiser:dncnn_test", weights=str(here / "run/dncnn_test.safetensors"))


@pytest.mark.slow
@pytest.mark.parametrize("data", ["labelled", "photos"])
def test_a_denoiser_for_a_classifier(here, run, data):
    """It was refused: a classifier was for purifiers. Images need no labels."""
    words = ("train", "stability", "--denoiser", "dncnn_test", "--network", "channels=3")
    for_it = ("--classifier", "tinymodule:tiny", "--data", data, "--sigma", 60)
    status, _, err = run(
        *words, *for_it, "--set", "patch=24", "--steps", 2, "--batch-size", 2, "-o", "run",
    )
    assert status == 0, err
    path = here / "run/dncnn_test.safetensors"
    assert read_weights(path)[1]["kind"] == "denoisers"
    recipe = read_recipe(here / "run/recipe.yaml")
    assert (recipe.trains, recipe.name, recipe.classifier) == (
        "denoiser", "dncnn_test", "tinymodule:tiny"
    )
    assert rr.create_denoiser("dncnn_test", weights=str(path)).channels == 3
    status, _, err = run("train", "--recipe", "run/recipe.yaml", "-o", "again")
    assert status == 0, err
    assert same(path, "again/dncnn_test.safetensors")
    for wrong in (("--purifier", "median"), ("--denoiser", "dncnn_test")):
        status, _, err = run("train", "stability", *wrong, "--data", data, "-o", "no")
        assert status == 2
        assert "'stability' trains a denoiser for a classifier: name both" in err


@pytest.mark.slow
def test_a_purifier_and_a_classifier_together(here, run):
    words = ("joint", "--purifier", "filtering", "--classifier", "tinymodule:tiny")
    status, _, err = run(
        "train", *words, "--data", "labelled", "--steps", 2, "--batch-size", 4, "--network",
        "width=0.05", "-o", "run",
    )
    assert status == 0, err
    assert "joint of filtering and tinymodule:tiny" in err
    from tinymodule import tiny

    trained, header = read_weights(here / "run/sequential.safetensors")
    assert header["kind"] == "classifiers"
    assert not torch.equal(trained["0.weight"], tiny()[0].weight)
    weights = str(here / "run/filtering.safetensors")
    rr.create_purifier("filtering", weights=weights)
    assert model_card(weights)["classifier"] == "sequential"
    assert same(pack_run("run", half=False), weights)
    status, _, err = run("train", "--recipe", "run/recipe.yaml", "-o", "again")
    assert status == 0, err
    for name in ("sequential", "filtering"):
        assert same(f"run/{name}.safetensors", f"again/{name}.safetensors")


@pytest.mark.parametrize("name", ["additive", "filtering", "multi_head"])
def test_a_purifier_s_name_in_the_place_of_a_defense_s(here, run, name):
    """The suggested command works; the former one named a defense that does not exist."""
    status, _, err = run(
        "train", name, "--classifier", "tinymodule:tiny", "--data", "labelled", "-o", "run"
    )
    assert status == 2
    assert f"{name!r} is not a way of training but a purifier: robust-restoration train" in err
    words = shlex.split(err[err.index("robust-restoration train") :].strip())[1:]
    words = [{"FOLDER": "labelled"}.get(word, word) for word in words]
    status, _, err = run(
        *words, "--steps", 1, "--batch-size", 4, "--network", "width=0.05", "--set",
        "per_image=2", "--set", "attack_steps=1",
    )
    assert status == 0, err
    assert (here / f"runs/mine/{name}.safetensors").is_file()


def test_a_denoiser_s_name_in_the_place_of_a_defense_s(here, run):
    status, _, err = run("train", "dncnn_test", "--data", "photos", "-o", "run")
    assert status == 2
    words = shlex.split(err[err.index("robust-restoration train") :].strip())[1:]
    words = [{"FOLDER": "photos"}.get(word, word) for word in words]
    status, _, err = run(*words, "--steps", 1, "--batch-size", 2, "--set", "patch=20")
    assert status == 0, err


def test_defenses_know_what_they_are_the_default_for():
    for trained in ("denoiser", "purifier", "classifier"):
        assert registry().default("defenses", trained)


# -- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "error", "sentence"),
    [
        ({"options": {"alfa": 2}}, InputError, "'hat' takes no option 'alfa'.*alpha"),
        ({"network": {"dept": 3}}, InputError, "'dncnn_test' takes no option 'dept'"),
        ({"step": 3}, InputError, "no option 'step'.*steps"),
        ({"recipe": "obsatk-grey"}, UnknownNameError, "obsatk-gray"),
        ({"purifier": "median"}, InputError, "either a denoiser, or a purifier"),
        ({"defense": "advfilter"}, InputError, "name the classifier"),
        ({"defense": "hut"}, UnknownNameError, "hat"),
        ({"defense": ""}, InputError, "Nothing says how to train"),
        ({"denoiser": ""}, InputError, "Say what is trained"),
        ({"data": None}, InputError, "Nothing says what to train on"),
    ],
)
def test_bad_words_are_named_before_anything_runs(words, error, sentence, tmp_path):
    given = {"defense": "hat", "data": "no-such-folder", "denoiser": "dncnn_test", **words}
    with pytest.raises(error, match=sentence):
        train_by_name(out=tmp_path / "run", **{**QUICK, **given})
    assert not (tmp_path / "run").exists()


def test_what_no_recipe_has_must_be_given(here):
    with pytest.raises(InputError, match="how many steps"):
        train_by_name("madry", "labelled", "run", classifier="tinymodule:tiny")
    with pytest.raises(InputError, match="takes no classifier"):
        train_by_name(
            "madry", "labelled", "run", classifier="tinymodule:tiny", purifier="median", steps=1
        )


def test_defaults_are_the_plugin_s_own(here):
    """The command line had defaults of its own for nine options of one plugin."""
    train_by_name(
        "advfilter", "labelled", "run", classifier="tinymodule:tiny", purifier="filtering",
        options=ADVFILTER, network={"width": 0.05}, **QUICK,
    )
    recipe = read_recipe("run/recipe.yaml")
    assert recipe.defense_options == ADVFILTER
    assert recipe.network == {"channels": 3, "width": 0.05}


def test_python_and_the_shell_train_with_the_same_defaults(here, run):
    """The shell took lr=1e-3 in bfloat16 where Python took 2e-4 in float32."""
    shell = ("train", "standard", "--denoiser", "dncnn_test", "--data", "photos", "--steps", 2)
    status, _, err = run(*shell, "--set", "patch=20", "-o", "shell")
    assert status == 0, err
    torch.manual_seed(0)  # what a run by name begins from
    model = rr.create_denoiser("dncnn_test")
    defense = rr.create_defense("standard", patch=20)
    rr.train(model, defense, "photos", steps=2, out="python", progress=False)
    shell, python = (read_recipe(here / name / "recipe.yaml") for name in ("shell", "python"))
    assert shell.settings == python.settings
    assert shell.defense_options == python.defense_options
    assert (shell.data, shell.val_fraction) == (python.data, python.val_fraction)
    assert same(here / "shell/checkpoint.safetensors", here / "python/checkpoint.safetensors")


def test_only_the_number_of_steps_comes_from_the_defense_s_own_recipe():
    from robust_restoration_training.named_recipes import default_steps

    assert default_steps("hat", "denoiser") == {"steps": 5_000}
    assert load_recipe("compact").settings["precision"] == "fp32"


# -- recipes ------------------------------------------------------------------------------------


def test_a_recipe_keeps_types_and_repeats_a_purifier(here):
    options = {**ADVFILTER, "epsilons": (4e-3, 1e-2), "augment": True}
    first = train_by_name(
        "advfilter", "labelled", "run", classifier="tinymodule:tiny", purifier="additive",
        options=options, network={"width": 0.05}, val_fraction=0.25, seed=3, ema=0.5,
        size=24, limit=10, **QUICK,
    )
    content = yaml.safe_load((here / "run/recipe.yaml").read_text())
    assert content["defense_options"]["epsilons"] == [4e-3, 1e-2]
    assert content["defense_options"]["augment"] is True
    assert content["settings"]["betas"] == [0.9, 0.999]
    assert (content["settings"]["seed"], content["val_fraction"]) == (3, 0.25)
    assert (content["size"], content["limit"], content["trains"]) == (24, 10, "purifier")
    assert (content["classifier"], content["init_weights"]) == ("tinymodule:tiny", None)
    second = train_by_name(recipe="run/recipe.yaml", out="again", progress=False)
    assert same(first, second)
    assert (here / "again/recipe.yaml").read_text() == (here / "run/recipe.yaml").read_text()
    third = train_by_name(recipe="run/recipe.yaml", out="other", seed=4, progress=False)
    assert not same(first, third)


def test_a_recipe_has_the_weights_that_a_run_began_from(here, monkeypatch):
    options = {"patch": 20}
    first = train_by_name(
        "standard", "photos", "one", denoiser="dncnn_test", options=options, **QUICK
    )
    begun = train_by_name(
        "standard", "photos", "two", denoiser="dncnn_test", options=options,
        init_weights=str(first.relative_to(here)) if first.is_absolute() else str(first), **QUICK,
    ).absolute()
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")  # data and weights are found from there as well
    again = train_by_name(recipe=str(here / "two/recipe.yaml"), out="three", progress=False)
    assert same(begun, again)


def test_a_run_in_python_writes_a_recipe_that_can_be_repeated_and_packed(here):
    torch.manual_seed(0)
    model = rr.create_denoiser("dncnn_test", batch_norm=False)
    defense = rr.create_defense("standard", patch=20, sigma=(0.0, 0.1))
    rr.train(model, defense, "photos", out="run", **QUICK)
    recipe = read_recipe("run/recipe.yaml")
    assert (recipe.trains, recipe.name, recipe.defense) == ("denoiser", "dncnn_test", "standard")
    assert recipe.defense_options == {"patch": 20, "sigma": [0.0, 0.1]}
    assert recipe.network["batch_norm"] is False
    path = pack_run("run", half=False)
    packed = rr.create_denoiser("dncnn_test", weights=str(path))
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, packed.state_dict()[name])
    train_by_name(recipe="run/recipe.yaml", out="again", progress=False)


def test_packing_says_what_is_missing(here):
    defense = rr.create_defense("standard", patch=20)
    rr.train(nn.Conv2d(1, 1, 3, padding=1), defense, "photos", out="run", **QUICK)
    with pytest.raises(InputError, match="a network that was not created by name"):
        pack_run("run")


def test_named_recipes_come_from_plugins(run, fake_plugin):
    assert {"obsatk-gray", "obsatk-colour", "typical-set", "compact"} <= set(
        registry().list("recipes")
    )
    gray, colour, one_level = map(load_recipe, ("obsatk-gray", "obsatk-colour", "typical-set"))
    assert (gray.settings["steps"], colour.settings["steps"]) == (225_000, 150_000)
    assert one_level.network == {"depth": 17}
    assert run("list", "recipes")[1].count("steps") >= 4
    fake_plugin(
        "cooks",
        "from robust_restoration import Entry, hookimpl\n"
        "@hookimpl\n"
        "def recipes():\n"
        "    return [Entry('soup', 'cooks:soup'), Entry('salt', 'cooks:salt')]\n"
        "def soup():\n"
        "    from robust_restoration.training import Recipe\n"
        "    return Recipe('short', {'steps': 1})\n"
        "salt = 3\n",
    )
    assert load_recipe("soup").settings == {"steps": 1}
    with pytest.raises(InputError, match="'salt' is a int; expected a Recipe"):
        load_recipe("salt")


def test_recipes_of_plugins_are_checked(fake_plugin):
    assert check_plugin("defenses").entries["recipes"]
    source = (
        "from robust_restoration import Entry, hookimpl\n"
        "@hookimpl\n"
        "def recipes():\n"
        "    return [Entry('soup', 'cooks:soup', 'short')]\n"
    )
    for made, sentence in (("3", "expected a Recipe"), ("Recipe('x', {'stps': 1})", "stps")):
        fake_plugin(
            f"cooks{len(made)}",
            source.replace("cooks", f"cooks{len(made)}") + "def soup():\n"
            f"    from robust_restoration.training import Recipe\n    return {made}\n",
        )
        with pytest.raises(ConformanceError, match=sentence):
            check_plugin(f"cooks{len(made)}")


def test_a_named_recipe_leaves_out_what_others_do_not_take():
    recipe = suited(load_recipe("typical-set"), "denoisers", "ffdnet_test", "madry")
    assert recipe.defense_options == {}
    assert set(recipe.network) <= {"depth", "features"}


@pytest.mark.parametrize(
    "text", ["", "summary: [", "settings: 3", "colour: blue", "- a\n- b", "network: [1]"]
)
def test_files_that_are_not_recipes(tmp_path, text):
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(DataError, match="is not a recipe"):
        read_recipe(tmp_path / "r.yaml")


BOMB = "&a [x,x,x,x,x,x,x,x,x]" + "".join(
    f", &{'bcdefghi'[i]} [{','.join(['*' + 'abcdefgh'[i]] * 9)}]" for i in range(8)
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"network: {{depth: [{BOMB}]}}", "it stands for more than 10000 values"),
        ("settings: &s {steps: 2, again: *s}", "it stands for more than 10000 values"),
        ("[" * 3000, "it is too deep"),
        ("summary: " + "x" * 2**20, "it is longer than 1048576 bytes"),
        ("network: {7: 1}", "network holds no options"),
        ("null: 3", "'None' is not a part of recipes"),
        ("trains: spaceship", "trains is 'spaceship'; expected denoiser, purifier, classifier"),
        ("trains: [1]", r"trains is \[1\]"),
        ("network: {depth: 1000000000}", "the network's depth is 1000000000"),
        ("summary: !!python/object/apply:os.system ['false']", "could not determine a constructor"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_hostile_recipes_are_one_sentence(tmp_path, text, sentence):
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(DataError, match=rf"is not a recipe \({sentence}") as caught:
        read_recipe(tmp_path / "r.yaml")
    assert len(str(caught.value)) < 500


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "r.yaml")
    with pytest.raises(DataError, match="it is no plain file"):
        read_recipe(tmp_path / "r.yaml")


def test_recipes_survive_writing(tmp_path):
    import numpy as np

    recipe = Recipe("x", {"lr": np.float64(0.1)}, {"sigma": (0, torch.tensor(0.5)), "none": None})
    write_recipe(recipe, tmp_path / "r.yaml")
    again = read_recipe(tmp_path / "r.yaml")
    assert again.settings == {"lr": 0.1}
    assert again.defense_options == {"sigma": [0, 0.5], "none": None}


# -- data ---------------------------------------------------------------------------------------


def test_preparing_changes_nothing_of_the_caller_s(here):
    patches = Patches("photos", side=20)
    defenses = [rr.create_defense("standard", sigma=s) for s in (0.05, 0.2)]
    sets = [defense.prepare(patches)[0] for defense in defenses]
    assert patches.corrupt is None
    found = [
        s.batch(torch.arange(8), torch.Generator().manual_seed(0), "train")["sigma"].max()
        for s in sets
    ]
    assert found == pytest.approx([0.05, 0.2])


def test_a_colour_folder_for_a_gray_denoiser(here):
    model = rr.create_denoiser("dncnn_test")
    training, _ = rr.create_defense("standard", patch=20).prepare("labelled", model=model)
    batch = training.batch(torch.arange(2), torch.Generator(), "train")
    assert batch["clean"].shape == (2, 1, 20, 20)


@pytest.fixture
def real():
    draw = torch.Generator().manual_seed(0)
    clean = list(torch.rand(4, 1, 30, 30, generator=draw))
    noisy = [(c + 0.1).clamp(0, 1) for c in clean]
    return rr.RestorationImages("real", clean, ["a", "b", "c", "d"], noisy)


@pytest.mark.parametrize("name", ["standard", "hat", "adversarial"])
def test_real_noise_is_trained_on(real, name):
    """It was dropped, and Gaussian noise drawn in its place."""
    defense = rr.create_defense(name, patch=20)
    training, _ = defense.prepare(real, val_fraction=0)
    batch = training.batch(torch.arange(4), torch.Generator().manual_seed(0), "train")
    away = batch["noisy"] - batch["clean"]
    assert bool((away >= -1e-6).all())
    assert float(away.median()) == pytest.approx(0.1, abs=1e-5)
    check_defense(defense, rr.create_denoiser("dncnn_test"), real)


def test_real_noise_and_noise_of_a_defense_s_own(real):
    for name in ("noise2noise", "typical_set", "mixed_noise"):
        with pytest.raises(InputError, match="real noisy images, and this defense brings noise"):
            rr.create_defense(name, patch=20).prepare(real)
    with pytest.raises(InputError, match="scaling would change the noise"):
        Patches(real, side=10, scales=(1.0, 0.5))


def test_replaced_images_are_noticed(here):
    model = {"denoiser": "dncnn_test", "options": {"patch": 20}}
    train_by_name("standard", "photos", "run", **model, **QUICK)
    write_image(torch.rand(1, 32, 32), here / "photos/3.png")
    with pytest.raises(InputError, match="training data are not those"):
        train_by_name("standard", "photos", "run", **model, **QUICK)


# -- the inner attack ---------------------------------------------------------------------------


def test_hat_attacks_in_eval_mode():
    """As its authors do; in train mode batch norm couples the images and weakens the attack."""
    model = rr.create_denoiser("dncnn_test").train()
    defense = rr.create_defense("hat", patch=20)
    images = torch.rand(6, 1, 24, 24)
    training, _ = defense.prepare(images, val_fraction=0)
    batch = training.batch(torch.arange(6), torch.Generator().manual_seed(0), "train")
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    modes = []
    norms[0].register_forward_pre_hook(lambda module, _: modes.append(module.training))
    defense.loss(model, batch, rr.Step("train"))
    assert modes == [True, False, True]
    assert defense.shared is False

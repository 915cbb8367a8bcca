"""Discovery, listing and creation by name, with fake distributions beside the real one."""

import subprocess
import sys
import time
import warnings

import pytest

import robust_restoration as rr
from robust_restoration.errors import InputError, PluginError, UnknownNameError
from robust_restoration.plugins.discovery import DISABLE_VARIABLE, discover
from robust_restoration.plugins.hooks import KINDS, Entry
from robust_restoration.plugins.registry import PluginWarning, Registry, registry
from robust_restoration.plugins.targets import call, check_options, importable, load_target

HEAD = "from robust_restoration import Entry, hookimpl\n"


def offering(*names, kind="purifiers"):
    """The source of a plugin that offers entries of these names."""
    entries = ", ".join(f"Entry({n!r}, __name__ + ':make', 'a summary')" for n in names)
    return (
        f"{HEAD}\n@hookimpl\ndef {kind}():\n    return [{entries}]\n\n\n"
        "def make(*args, level=1.0, **more):\n    return (args, level, more)\n\n\n"
        "def strict(argument, *, level=1.0):\n    return (argument, level)\n"
    )


def row(name, module=None):
    """What is known of one plugin."""
    return next(p for p in discover() if p.name == name and module in (None, p.module))


def test_listing_names_match_globs_and_imports_no_target(fake_plugin):
    fake_plugin(
        "zz_globs",
        HEAD + "@hookimpl\ndef purifiers():\n"
        "    return [Entry(n, 'zz_no_such_module:x', 's') for n in ('zz_b', 'zz_a', 'zz_c1')]\n",
    )
    assert rr.list_purifiers("zz_*") == ["zz_a", "zz_b", "zz_c1"]
    assert rr.list_purifiers("zz_?") == ["zz_a", "zz_b"]
    assert rr.list_purifiers("zz_globs/*") == ["zz_a", "zz_b", "zz_c1"]
    assert rr.list_purifiers("nothing*") == []
    assert set(rr.list_purifiers("zz_*")) < set(rr.list_purifiers())


def test_entries_come_back_as_the_data_they_are(fake_plugin):
    fake_plugin("zz_data", offering("zz_one", kind="denoisers"))
    (entry,) = row("zz_data").entries["denoisers"]
    assert entry == Entry("zz_one", "zz_data:make", "a summary")
    with pytest.raises(AttributeError):
        entry.name = "other"


@pytest.mark.parametrize("kind", KINDS)
def test_each_hook_reaches_the_registry(fake_plugin, kind):
    fake_plugin("zz_kind", offering("zz_thing", kind=kind))
    assert registry().list(kind, "zz_*") == ["zz_thing"]
    assert registry().create(kind, "zz_thing", 1, level=2) == ((1,), 2, {})


def test_a_record_says_who_brings_it(fake_plugin):
    fake_plugin("zz_who", offering("zz_who"), name="who", distribution="robust-x", version="4.5")
    found = row("who")
    assert (found.distribution, found.version, found.module) == ("robust-x", "4.5", "zz_who")
    assert (found.status, found.reason) == ("active", "")


def test_qualified_names_reach_what_bare_names_reach(fake_plugin):
    fake_plugin("zz_q", offering("zz_it"))
    assert rr.create_purifier("zz_q/zz_it", level=3) == rr.create_purifier("zz_it", level=3)


def test_entries_of_one_name_stay_reachable_and_the_bare_name_says_so(fake_plugin):
    fake_plugin("zz_first", offering("zz_same"))
    fake_plugin("zz_second", offering("zz_same").replace("level=1.0, **more", "level=2.0, **more"))
    assert rr.list_purifiers("zz_same") == ["zz_first/zz_same", "zz_second/zz_same"]
    with pytest.raises(UnknownNameError, match=r"zz_first/zz_same.*or.*zz_second/zz_same"):
        rr.create_purifier("zz_same")
    assert rr.create_purifier("zz_first/zz_same")[1] == 1.0
    assert rr.create_purifier("zz_second/zz_same")[1] == 2.0


def test_one_plugin_cannot_offer_a_name_twice(fake_plugin):
    fake_plugin("zz_twice", offering("zz_same", "zz_same"))
    assert row("zz_twice").status == "broken"
    assert "more than once" in row("zz_twice").reason


def test_of_two_plugins_of_one_name_one_is_used_and_the_other_told(fake_plugin):
    fake_plugin("zz_mine", offering("zz_mine"), name="zz_name", distribution="a-dist")
    fake_plugin("zz_theirs", offering("zz_theirs"), name="zz_name", distribution="b-dist")
    assert row("zz_name", "zz_mine").status == "active"
    other = row("zz_name", "zz_theirs")
    assert other.status == "clash"
    assert "a-dist" in other.reason
    with pytest.warns(PluginWarning, match="pip uninstall b-dist"):
        assert rr.list_purifiers("zz_*") == ["zz_mine"]


def test_nobody_replaces_a_builtin_plugin(fake_plugin):
    fake_plugin("aa_thief", offering("stolen"), name="attacks", distribution="aa-thief")
    assert row("attacks", "robust_restoration_attacks").status == "active"
    assert row("attacks", "aa_thief").status == "clash"
    with pytest.warns(PluginWarning):
        registry()
    with pytest.raises(UnknownNameError):  # not "Plugin 'attacks' is clash"
        registry().find("attacks", "attacks/nothing")


BROKEN = {
    "import": ("raise RuntimeError('a planted fault')", "RuntimeError: a planted fault"),
    "exit": ("raise SystemExit(3)", "SystemExit: 3"),
    "syntax": ("def (", "SyntaxError"),
    "missing": ("import zz_surely_not_there", "zz_surely_not_there"),
    "misspelt": (HEAD + "@hookimpl\ndef purifierz():\n    return []", "purifierz"),
    "argument": (HEAD + "@hookimpl\ndef purifiers(nonsense):\n    return []", "nonsense"),
    "number": (HEAD + "@hookimpl\ndef purifiers():\n    return 5", "purifiers() returned 5"),
    "text": (HEAD + "@hookimpl\ndef purifiers():\n    return 'ab'", "expected a list of Entry"),
    "item": (HEAD + "@hookimpl\ndef purifiers():\n    return ['ab']", "not an Entry"),
    "target": (HEAD + "@hookimpl\ndef purifiers():\n    return [Entry('a', 'b.c')]", "'b.c'"),
    "raises": (HEAD + "@hookimpl\ndef purifiers():\n    return 1 / 0", "ZeroDivisionError"),
    "interrupt": ("raise KeyboardInterrupt('planted')", "KeyboardInterrupt: planted"),
    "base": ("class E(BaseException): pass\nraise E('planted')", "E: planted"),
    "near": (HEAD + "@hookimpl\ndef purifyers():\n    return []", "Did you mean 'purifiers'"),
    "speechless": (
        "class E(Exception):\n    def __str__(self):\n        raise ValueError\nraise E",
        "E: (its message cannot be shown: ValueError)",
    ),
    "wordless": (
        "class E(Exception):\n    def __str__(self):\n        return 5\nraise E",
        "E: (its message cannot be shown: TypeError)",
    ),
    "nameless": (HEAD + "@hookimpl\ndef purifiers():\n    return [Entry(7, 'a:b')]", "name=7"),
    "none": (HEAD + "@hookimpl\ndef purifiers():\n    return [Entry(None, 'a:b')]", "name=None"),
    "spaced": (HEAD + "@hookimpl\ndef purifiers():\n    return [Entry('a b', 'a:b')]", "'a b'"),
    "newline": (HEAD + "@hookimpl\ndef purifiers():\n    return [Entry('a\\n', 'a:b')]", "letters"),
    "roles": (
        HEAD + "@hookimpl\ndef attacks():\n    return [Entry('a', 'a:b', roles='denoiser')]",
        "expected a tuple of words",
    ),
    "summary": (
        HEAD + "@hookimpl\ndef purifiers():\n    return [Entry('a', 'a:b', 7)]",
        "summary=7",
    ),
    "thief": (
        HEAD + "@hookimpl\ndef denoisers():\n    return [Entry('denoisers/dncnn_b', 'a:b')]",
        "only the plugin 'denoisers' may give",
    ),
    "no_hook": (HEAD + "def purifiers():\n    return []", "@hookimpl"),
}


def few_quick(names, quick):
    return [pytest.param(n, marks=() if n in quick else pytest.mark.slow) for n in names]


@pytest.mark.parametrize("fault", few_quick(BROKEN, ("import", "target", "raises")))
def test_a_broken_plugin_is_a_row_with_a_reason_and_disturbs_nothing(fake_plugin, fault):
    before = {p.name: (p.status, p.entries) for p in discover()}
    source, reason = BROKEN[fault]
    module = f"zz_broken_{fault}"
    fake_plugin(module, source, distribution="zz-broken")
    found = row(module)
    assert (found.status, found.entries) == ("broken", {})
    assert reason in found.reason
    assert "\n" not in found.reason
    after = {p.name: (p.status, p.entries) for p in discover() if p.name != module}
    assert after == before
    with pytest.warns(PluginWarning, match=r"(?s)zz-broken 1\.2\.3.*pip uninstall zz-broken"):
        registry()
    with warnings.catch_warnings():  # once is enough
        warnings.simplefilter("error")
        registry()
    with pytest.raises(PluginError, match="broken"):
        rr.create_purifier(f"{module}/zz_anything")
    with pytest.raises(UnknownNameError, match=rf"{module} \(broken\)"):
        rr.create_purifier("zz_from_nobody")
    with pytest.raises(BaseException):  # noqa: B017, PT011
        discover(strict=True)


def test_strict_mode_raises_the_plugins_own_error(fake_plugin):
    fake_plugin("zz_strict", "raise KeyError('planted')")
    with pytest.raises(KeyError, match="planted"):
        discover(strict=True)


def test_damaged_metadata_disturbs_nothing(fake_plugin):
    site = fake_plugin("zz_stray", offering("zz_stray"))
    (metadata,) = site.glob("*.dist-info/METADATA")
    metadata.unlink()
    assert row("zz_stray").status == "active"


def test_a_plugin_can_be_switched_off(fake_plugin, monkeypatch):
    fake_plugin("zz_off", "raise RuntimeError('never imported')")
    fake_plugin("zz_on", offering("zz_on"))
    monkeypatch.setenv(DISABLE_VARIABLE, " zz_off , attacks,")
    registry.cache_clear()
    assert row("zz_off").status == row("attacks").status == "disabled"
    assert DISABLE_VARIABLE in row("attacks").reason
    assert "zz_off" not in sys.modules
    assert rr.list_attacks("torchattacks/*") == []
    assert rr.list_purifiers("zz_*") == ["zz_on"]
    with pytest.raises(PluginError, match="disabled"):
        rr.create_attack("attacks/torchattacks/pgd", None)
    with pytest.raises(UnknownNameError, match=r"attacks \(disabled\)"):
        rr.create_attack("torchattacks/pgd", None)


def test_an_unknown_name_offers_the_nearest(fake_plugin):
    fake_plugin("zz_near", offering("zz_sharpen", "zz_soften"))
    with pytest.raises(UnknownNameError, match=r"purifier 'zz_sharpn'.*Did you mean 'zz_sharpen'"):
        rr.create_purifier("zz_sharpn")
    with pytest.raises(LookupError, match="Did you mean 'torchattacks/pgd'"):
        rr.create_attack("torchatacks/pgd", None)
    with pytest.raises(UnknownNameError, match="There are"):
        rr.create_purifier("#")
    with pytest.raises(UnknownNameError, match="There are none"):
        Registry([]).find("noises", "gaussian")


def strict(argument, *, level=1.0, sigma=0.5):
    """Takes no other options."""


def test_an_unknown_option_offers_the_nearest():
    with pytest.raises(InputError, match=r"takes no option 'sigam'\. Did you mean 'sigma'"):
        check_options(strict, "zz", (1,), {"sigam": 1})
    with pytest.raises(InputError, match=r"missing.*argument.*zz\(argument, \*, level"):
        check_options(strict, "zz", (), {})
    with pytest.raises(InputError, match="multiple values"):
        check_options(strict, "zz", (1,), {"argument": 1})
    check_options(strict, "zz", (1,), {"sigma": 1})
    check_options(lambda **options: None, "zz", (), {"whatever": 1})


@pytest.mark.parametrize(
    ("create", "name", "args", "wrong", "meant"),
    [
        (rr.create_defense, "hat", (), "alhpa", "alpha"),
        (rr.create_defense, "hat", (), "scals", "scales"),
        (rr.create_attack, "denoising_pgd", (None,), "stpes", "steps"),
        (rr.create_attack, "obsatk", (None,), "sgima", "sigma"),
        (rr.create_purifier, "multi_head", (), "wdth", "width"),
    ],
)
def test_an_option_that_is_passed_on_and_unknown_offers_the_nearest(
    create, name, args, wrong, meant
):
    with pytest.raises(InputError, match=rf"'{name}' takes no option '{wrong}'\..*'{meant}'"):
        create(name, *args, **{wrong: 1})


def test_options_offered_to_all_reach_those_that_take_them():
    offered = {"eps": 0.1, "sigma": 0.2}
    accepted = registry().accepted
    assert accepted("attacks", "denoising_pgd", offered) == offered
    assert accepted("attacks", "torchattacks/pgd", offered) == {"eps": 0.1}


def test_a_type_error_of_the_targets_own_is_not_hidden():
    def target(**options):
        return len(1)

    with pytest.raises(TypeError, match="has no len"):
        call(target, "zz", (), {"sigma": 1})


def test_a_module_without_a_constructor_takes_no_option(monkeypatch):
    from torch import nn

    own = nn.Module.__init__
    # As torch's compiler does, for good.
    monkeypatch.setattr(nn.Module, "__init__", lambda self, *a, **kw: own(self, *a, **kw))

    class Plain(nn.Module):
        """Takes nothing."""

    with pytest.raises(InputError, match="takes no option 'sigma'"):
        check_options(Plain, "plain", (), {"sigma": 1})
    check_options(Plain, "plain", (), {})


def test_what_an_entry_requires_is_named_when_missing():
    for module in ("zz_absent", "zz_absent.part"):
        assert not importable(module)
        with pytest.raises(PluginError, match=f"needs '{module}'.*pip install zz"):
            load_target(Entry("a", "math:sqrt", requires=module, install="pip install zz"))
    assert load_target(Entry("a", "math:sqrt", requires="json"))(4) == 2
    with pytest.raises(PluginError, match="pip install zz_absent"):
        load_target(Entry("a", "math:sqrt", requires="zz_absent"))


def test_a_target_that_is_not_there_is_a_plugin_error(fake_plugin):
    fake_plugin("zz_bad_target", "raise OSError('planted')")
    for target in ("zz_absent:x", "math:no_such_name", "zz_bad_target:x"):
        with pytest.raises(PluginError, match=f"'{target}', which does not import"):
            load_target(Entry("a", target))


def test_a_family_passes_the_rest_of_the_name(fake_plugin):
    source = offering("zz_family:").replace(":make'", ":strict'")
    fake_plugin("zz_families", source)
    assert rr.create_purifier("zz_family:inner", level=3) == ("inner", 3)
    assert rr.create_purifier("zz_families/zz_family:a:b") == ("a:b", 1.0)
    with pytest.raises(InputError, match="argument"):
        rr.create_purifier("zz_family:")
    with pytest.raises(UnknownNameError, match="Did you mean 'zz_family:'"):
        rr.create_purifier("zz_famly:inner")


def test_families_of_one_name_are_told_apart(fake_plugin):
    source = offering("zz_family:").replace(":make'", ":strict'")
    fake_plugin("zz_left", source)
    fake_plugin("zz_right", source)
    with pytest.raises(UnknownNameError, match="'zz_left/zz_family:' or 'zz_right/zz_family:'"):
        rr.create_purifier("zz_family:x")
    assert rr.create_purifier("zz_right/zz_family:x") == ("x", 1.0)


@pytest.mark.slow
def test_the_public_names_are_all_there_and_functions_hide_their_modules():
    # purify and registry are both a module and a function of it: users get the function,
    # whatever was imported before. In a fresh process, since order matters.
    code = (
        "import robust_restoration as rr, robust_restoration.models.purify, "
        "robust_restoration.plugins.registry\n"
        "rr.PurifiedClassifier; rr.list_attacks()\n"
        "assert callable(rr.purify) and callable(rr.registry)\n"
        "missing = [n for n in rr.__all__ if not hasattr(rr, n)]\n"
        "assert not missing, missing"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_a_plugin_cannot_take_the_qualified_names_of_another(fake_plugin):
    fake_plugin("zz_thief", offering("attacks/obsatk", kind="attacks"))
    fake_plugin("zz_family", offering("pgd", kind="attacks"), name="torchattacks")
    assert "only the plugin 'attacks' may give" in row("zz_thief").reason
    assert "'torchattacks/' belong to the plugin 'attacks'" in row("torchattacks").reason
    with pytest.warns(PluginWarning):
        found = registry()
    assert found.find("attacks", "attacks/obsatk")[0].entry.target.startswith("robust_restoration_")
    assert found.find("attacks", "torchattacks/pgd")[0].plugin == "attacks"


def test_what_a_plugin_prints_does_not_reach_stdout(fake_plugin, capsys):
    fake_plugin("zz_loud", "print('[1, 2, 3')\n" + offering("zz_loud") + "\nprint('done')\n")
    assert rr.list_purifiers("zz_*") == ["zz_loud"]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "[1, 2, 3" in captured.err


def test_twenty_thousand_entries_take_no_quadratic_time(fake_plugin):
    source = HEAD + (
        "@hookimpl\ndef purifiers():\n"
        "    return [Entry(f'zz_many_{i}', 'zz_many:x') for i in range(20_000)]\n"
    )
    fake_plugin("zz_many", source)
    begun = time.process_time()
    found = registry()
    names = found.list("purifiers", "zz_many_*")
    assert len(names) == 20_000
    assert all(found.find("purifiers", name)[0].entry.name == name for name in names)
    assert time.process_time() - begun < 3  # quadratic, it was minutes


def test_a_default_is_not_another_plugins_to_take(fake_plugin):
    before = registry().default("purifiers", "classifier")
    bare = before.split("/")[1]
    source = offering(bare).replace("'a summary')", "'a summary', roles=('classifier',))")
    fake_plugin("aa_first", source)
    assert registry().default("purifiers", "classifier") == before
    assert registry().find("purifiers", before)[0].plugin == before.split("/")[0]
    with pytest.raises(UnknownNameError, match="2 plugins offer"):
        rr.create_purifier(bare)


@pytest.mark.parametrize("name", [None, 5, ["jpeg"], rr.Entry("a", "b:c")])
def test_what_is_not_a_name_is_told_in_a_sentence(name):
    with pytest.raises(UnknownNameError, match="expected its name"):
        rr.create_purifier(name)

"""Named sets: the table, and finding them under a root."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from robust_restoration_datasets.listing import list_datasets
from robust_restoration_datasets.locate import locate
from robust_restoration_datasets.sets import NamedSet
from robust_restoration_datasets.table import CBSD68_FILES, NAMED

from robust_restoration.data import data_root, load_images, load_labelled
from robust_restoration.data.names import understand
from robust_restoration.errors import DataError, InputError, PluginError, UnknownNameError
from robust_restoration.images.files import write_image
from robust_restoration.images.folders import natural_order

CLEAN = [s for s in NAMED if s.kind == "restoration"]
BY_NAME = {s.name: s for s in NAMED}


def small(path: Path, seed: int = 0, size: tuple[int, int] = (6, 5)) -> None:
    """A small colour image, always the same for a seed."""
    write_image(torch.rand(3, *size, generator=torch.Generator().manual_seed(seed)), path)


@pytest.fixture(autouse=True)
def no_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No root but what a test gives, and no folder that could be taken for a name."""
    monkeypatch.delenv("ROBUST_RESTORATION_DATA", raising=False)
    monkeypatch.setenv("ROBUST_RESTORATION_CACHE", str(tmp_path / "cache"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")


def test_the_table_is_sound() -> None:
    names = [name for s in NAMED for name in s.names]
    assert len(set(names)) == len(names)
    for s in NAMED:
        assert s.name == s.name.lower()
        assert s.kind in ("restoration", "real-noise", "labelled")
        assert s.channels in (1, 3)
        assert bool(s.count) != bool(s.splits)
        assert bool(s.splits) == bool(s.formats)
        assert bool(s.clean) == bool(s.noisy) == (s.kind == "real-noise")
        assert s.source.startswith("http")
        assert s.terms
        assert s.summary
    assert len(CBSD68_FILES) == 68


def test_numbers_sort_by_value() -> None:
    assert sorted(["x10", "x9", "x1"], key=natural_order) == ["x1", "x9", "x10"]
    assert sorted(["b", "A", "c"], key=natural_order) == ["A", "b", "c"]


@pytest.mark.parametrize("named", CLEAN, ids=lambda s: s.name)
def test_each_layout_under_each_name(tmp_path: Path, named: NamedSet) -> None:
    for number, folder in enumerate(named.folders):
        root = tmp_path / str(number)
        for parent in ("", "testsets"):
            for image in range(2):
                small(root / parent / folder / f"{image}.png", image)
            for name in (named.name, *named.aliases, named.name.upper()):
                with pytest.warns(UserWarning, match=f"holds 2 images; {named.name} has"):
                    found = load_images(name, root=root / parent, channels=named.channels)
                assert (found.name, found.names) == (named.name, ["0", "1"])
        lower = tmp_path / "lower" / str(number)
        small(lower / folder.lower() / "0.png")
        with pytest.warns(UserWarning, match="holds 1 images"):
            assert len(load_images(named.name, root=lower)) == 1


def test_the_official_bsds500_lends_no_test_image(tmp_path: Path) -> None:
    folder = tmp_path / "BSR" / "BSDS500" / "data" / "images"
    for name in (*sorted(CBSD68_FILES)[:3], "2018", "8068"):
        small(folder / "val" / f"{name}.jpg")
    small(folder / "train" / "100075.jpg")
    with pytest.warns(UserWarning, match="holds 3 images; cbsd432 has 432"):
        found = load_images("BSD500", root=tmp_path)
    assert found.names == ["train/100075", "val/2018", "val/8068"]


def test_cbsd68_leaves_out_the_noisy_copies_of_its_repository(tmp_path: Path) -> None:
    for inner in ("noisy10", "original_png"):
        small(tmp_path / "CBSD68" / inner / "0000.png", len(inner))
    assert locate(BY_NAME["cbsd68"], tmp_path).count == 1
    assert locate(BY_NAME["cbsd68"], tmp_path).folder.name == "original_png"


def test_the_whole_set_warns_of_nothing(tmp_path: Path) -> None:
    for number in range(3):
        small(tmp_path / "set3c" / f"{number}.png", number)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = load_images("Set3c", root=tmp_path, limit=2)
    assert len(found) == 2


def test_a_missing_set_says_where_and_whence(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_images("kodak24", root=tmp_path)
    text = str(caught.value)
    for part in (str(tmp_path / "Kodak24"), "Kodak24/", "r0k.us", "ROBUST_RESTORATION_DATA"):
        assert part in text
    with pytest.raises(DataError, match=r"There is no folder .*nowhere"):
        load_images("kodak24", root=tmp_path / "nowhere")


def test_an_unknown_name_gives_the_nearest(tmp_path: Path) -> None:
    for load in (load_images, load_labelled):
        with pytest.raises(UnknownNameError, match=r"no folder 'kodac24'. Did you mean 'kodak24'"):
            load("kodac24", root=tmp_path)
        with pytest.raises(UnknownNameError, match="no folder ''"):
            load("", root=tmp_path)
        with pytest.raises(DataError, match="There is no data at"):
            load("pictures/none", root=tmp_path)


def test_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_root() == tmp_path / "cache" / "data"
    monkeypatch.setenv("ROBUST_RESTORATION_DATA", str(tmp_path / "variable"))
    assert data_root() == tmp_path / "variable"
    assert data_root(tmp_path) == tmp_path
    for number in range(3):
        small(tmp_path / "variable" / "Set3c" / f"{number}.png", number)
    assert len(load_images("set3c")) == 3
    with pytest.raises(DataError, match="set3c was not found"):
        load_images("set3c", root=tmp_path / "other")


def test_an_existing_folder_comes_before_a_name(tmp_path: Path) -> None:
    small(Path("set12") / "mine.png")  # in the current folder
    assert load_images("set12", root=tmp_path).names == ["mine"]


def test_any_folder_under_the_root_has_a_name(tmp_path: Path) -> None:
    small(tmp_path / "My-photos" / "a" / "1.png")
    assert load_images("my-photos", root=tmp_path).name == "My-photos"
    assert load_labelled("My-photos", root=tmp_path).labels.tolist() == [0]
    assert load_images("my-photos:a", root=tmp_path).names == ["1"]
    with pytest.raises(DataError, match="There is no folder"):
        load_images("my-photos:b", root=tmp_path)
    with pytest.raises(UnknownNameError, match="Did you mean 'My-photos'"):
        load_images("My-photo", root=tmp_path)


PLUGIN = """
from robust_restoration.plugins.hooks import Entry, hookimpl

@hookimpl
def datasets():
    return [
        Entry("moons", "moon_sets:moons", "pictures of moons"),
        Entry("labelled-moons", "moon_sets:labelled", "moons with labels"),
        Entry("moon:", "moon_sets:one", "one moon by name"),
        Entry("phases", "moon_sets:phases", "moons by phase"),
    ]

def moons(root):
    return root / "moons-1"

def one(name, root):
    return root / "moons-1" / f"{name}.png"

def phases(root, *, split=None, limit=None):
    import torch
    from robust_restoration.data import RestorationImages
    names = [f"{split}-{i}" for i in range(9)][:limit]
    return RestorationImages("moons by phase", [torch.rand(1, 4, 4) for _ in names], names)

def labelled(root):
    import torch
    from robust_restoration.data import LabelledImages
    return LabelledImages(torch.zeros(4, 3, 8, 8, dtype=torch.uint8), torch.arange(4))
"""


def test_plugins_bring_data_sets(tmp_path: Path, fake_plugin: Callable[..., Path]) -> None:
    fake_plugin("moon_sets", PLUGIN)
    for name in ("io", "europa"):
        small(tmp_path / "moons-1" / f"{name}.png")
    found = load_images("Moons", root=tmp_path)
    assert (found.name, found.names) == ("moons", ["europa", "io"])
    assert len(load_images("moon_sets/moons", root=tmp_path, limit=1)) == 1
    assert load_images("moon:io", root=tmp_path).names == ["io"]
    assert load_images("phases:full", root=tmp_path, limit=2).names == ["full-0", "full-1"]
    with pytest.raises(InputError, match=r"moons has no split 'full'"):
        load_images("moons:full", root=tmp_path)
    data = load_labelled("labelled-moons", root=tmp_path, size=4, channels=1, limit=3)
    assert (data.name, data.images.shape) == ("labelled-moons", (3, 1, 4, 4))
    assert len(load_images("labelled-moons", root=tmp_path)) == 4
    with pytest.raises(UnknownNameError, match="Did you mean 'labelled-moons'"):
        load_labelled("labeled-moons", root=tmp_path)
    rows = {row.name: row for row in list_datasets(tmp_path)}
    assert rows["moons"].kind == "plugin"
    assert rows["moons-1"].kind == "folder"


def test_a_broken_plugins_data_set_says_so(
    tmp_path: Path, fake_plugin: Callable[..., Path]
) -> None:
    fake_plugin("moon_sets", "raise ImportError('no telescope')")
    with pytest.warns(UserWarning, match="no telescope"):
        with pytest.raises(PluginError, match="is broken: ImportError: no telescope"):
            load_images("moon_sets/moons", root=tmp_path)


@pytest.mark.parametrize("name", ["set12", "set68", "cbsd68", "set3c", "train400", "cbsd432", "cc"])
def test_the_real_ones(data_root: Path, name: str) -> None:
    named = BY_NAME[name]
    found = locate(named, data_root)
    assert found.count == named.count
    assert not found.unpaired
    some = load_images(name, root=data_root, limit=3)
    assert {i.shape[0] for i in some.clean} == {named.channels}
    assert not some.damaged
    if named.noisy:
        error = torch.stack([some.noisy_image(i) - some.image(i) for i in range(3)])
        assert 0.001 < float(error.std()) < 0.2


def test_names_are_found_however_they_are_written() -> None:
    for name in ("CIFAR-10", "cifar_10", "Cifar10"):
        assert understand(name).name == "cifar10"
        assert understand(f"datasets/{name}:test").split == "test"
    with pytest.raises(UnknownNameError, match="cifar10"):
        understand("cifar100")
    with pytest.raises(InputError, match="cifar10 has splits"):
        load_labelled("CIFAR-10")

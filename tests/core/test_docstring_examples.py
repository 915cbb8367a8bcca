"""The examples in docstrings run, and give what they say they give."""

from __future__ import annotations

import doctest
import importlib
import math
import pkgutil
from pathlib import Path

import pytest
import robust_restoration_testing as testing
import torch
from torch import nn

import robust_restoration as rr

REPOSITORY = Path(__file__).resolve().parents[2]
# What is printed, and what is run in its place: the same with less to compute, or smaller data.
SMALLER = {
    "steps=10_000": "steps=2, batch_size=2",
    "n=10_000": "n=200",
    "denoiser, eps=5 / 255)(noisy": "denoiser, eps=5 / 255, steps=2)(noisy",
    "eps=[2 / 255, 5 / 255])": "eps=[2 / 255, 5 / 255], limit=1)",
    'threats=["gray-box", "white-box"]': 'threats=["gray-box steps=1", "white-box-quick steps=1"]',
    'fit_purifier(classifier, "photos/", minutes=10)': 'create_purifier("median")',  # of 3 photos
    '"cifar10:train"': "labelled",
    '"train400"': '"photos/"',
    '"set12"': '"photos/"',
    'create_attack("mine"': 'create_attack("torchattacks/fgsm"',
    'create_denoiser("mine")': 'create_denoiser("dncnn", depth=3)',
    'create_defense("mine")': 'create_defense("hat", patch=16)',
    'train_by_name("mine"': 'train_by_name("hat"',
    'purifier="mine", draws=100': 'purifier="median", draws=2',
    'denoiser="mine"': 'denoiser="dncnn", options={"patch": 16}',
}


def modules():
    packages = ["robust_restoration"]
    packages += [p.name for p in (REPOSITORY / "plugins").iterdir() if (p / "__init__.py").exists()]
    for package in packages:
        spec = importlib.util.find_spec(package)
        yield from (
            m.name
            for m in pkgutil.walk_packages(spec.submodule_search_locations, f"{package}.")
            if not m.name.endswith("__main__")
        )


def examples():
    finder, seen = doctest.DocTestFinder(exclude_empty=True), {}
    for name in modules():
        try:
            module = importlib.import_module(name)
        except ImportError:  # an extra that is not installed
            continue
        for test in finder.find(module, name):
            if test.examples:
                seen[test.name] = test
    return seen


EXAMPLES = examples()


@pytest.fixture
def names(tiny_classifier, images, name):
    """What the examples take for granted."""
    colour = "certify" in name  # a denoiser before the classifier
    denoiser = rr.create_denoiser("dncnn", depth=3).eval()
    clean = images.mean(1, keepdim=True)[:2]
    return {
        "rr": rr,
        "math": math,
        "torch": torch,
        "nn": nn,
        "denoiser": rr.create_denoiser("dncnn_c", depth=3).eval() if colour else denoiser,
        "clean": clean,
        "noisy": rr.Gaussian(25 / 255)(clean, seed=0)[0],
        "classifier": tiny_classifier,
        "x": images,
        "images": images,
        "labels": torch.arange(len(images)) % 10,
        "labelled": rr.LabelledImages(
            (images * 255).round().to(torch.uint8), torch.arange(len(images)) % 10, name="labelled"
        ),
        "model": tiny_classifier,
        "data": rr.RestorationImages("data", [image[:, :24] for image in clean], ["a", "b"]),
    }


def test_there_are_some():
    assert len(EXAMPLES) > 10


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name, names, stand_ins):
    stand_ins()
    test = EXAMPLES[name]
    public = {n: getattr(module, n) for module in (rr, testing) for n in module.__all__}
    test.globs = {**public, **test.globs, **names}
    for example in test.examples:
        for old, new in SMALLER.items():
            example.source = example.source.replace(old, new)
        if not example.want and is_expression(example.source):
            # An example without output says what to call, not what that prints.
            example.source = f"_ = ({example.source.partition('  #')[0].strip()})\n"
    reports: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=reports.append)
    assert not runner.failures, "".join(reports)


def is_expression(source: str) -> bool:
    try:
        compile(source.strip(), "example", "eval")
    except SyntaxError:
        return False
    return True

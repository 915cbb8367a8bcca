"""Files of weights that are damaged or meant to do harm: one sentence, no memory, no time."""

from __future__ import annotations

import json
import random
import resource
import struct
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load as loads
from safetensors.torch import save_file
from torch import nn

import robust_restoration as rr
from robust_restoration.errors import WeightsError
from robust_restoration.models.weights import load_weights, read_weights, save_weights

NAME = "dncnn_test"
DEEP = 5_000


@pytest.fixture
def good(tmp_path: Path) -> bytes:
    path = tmp_path / "good.safetensors"
    save_weights(rr.create_denoiser(NAME), path, kind="denoisers", name=NAME)
    return path.read_bytes()


def split(content: bytes) -> tuple[dict[str, Any], bytes]:
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def joined(header: dict[str, Any] | bytes, tensors: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + tensors


def with_options(content: bytes, options: str) -> bytes:
    header, tensors = split(content)
    header["__metadata__"]["options"] = options
    return joined(header, tensors)


OPTIONS = {
    "wide": '{"features": 8000}',
    "widest": '{"features": 900000}',
    "deep": '{"depth": 900000}',
    "deepest": '{"depth": 1000000000}',
    "negative": '{"features": -8}',
    "fraction": '{"features": 8.5}',
    "text": '{"features": "8"}',
    "truth": '{"features": true}',
    "nothing": '{"features": null}',
    "list": '{"features": [8]}',
    "nan": '{"sigma_range": [NaN, 0.1]}',
    "infinite": '{"sigma_range": [0, 1e999]}',
    "infinity": '{"sigma_range": [0, Infinity]}',
    "digits": '{"features": ' + "9" * 5_000 + "}",
    "nested": '{"sigma_range": ' + "[" * DEEP + "]" * DEEP + "}",
    "nested_a_little": '{"sigma_range": [[[[[[[[[[[0]]]]]]]]]]]}',
    "unknown": '{"featurse": 8}',
    "array": "[1, 2]",
    "number": "7",
    "cut": '{"features": ',
    "long": '{"features": "' + "x" * 100_000 + '"}',
    "weights": '{"weights": "someone/else"}',
}


@pytest.mark.parametrize("case", OPTIONS)
def test_options_in_a_file_cost_nothing_before_they_are_believed(
    good: bytes, tmp_path: Path, case: str
) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(with_options(good, OPTIONS[case]))
    state = torch.random.get_rng_state()
    before, begun = peak(), time.process_time()
    with pytest.raises(WeightsError) as error:
        rr.create_denoiser(NAME, weights=str(path))
    assert time.process_time() - begun < 5
    assert peak() - before < 100
    assert len(str(error.value)) < 1000
    assert "\n" not in str(error.value)
    assert torch.equal(torch.random.get_rng_state(), state)


def peak() -> float:
    """The most memory this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_values_that_are_not_finite_are_refused(
    tmp_path: Path, value: float, dtype: torch.dtype
) -> None:
    weight = torch.zeros(3, 2, dtype=dtype)
    weight[1, 1] = value
    save_file({"weight": weight, "bias": torch.zeros(3)}, tmp_path / "w.safetensors")
    model = nn.Linear(2, 3)
    before = model.weight.detach().clone()
    with pytest.raises(WeightsError, match="NaN or infinite values, such as in 'weight'"):
        load_weights(model, tmp_path / "w.safetensors")
    assert torch.equal(model.weight, before)


def test_values_that_overflow_and_other_kinds_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"weight": torch.full((1, 1), 1e300, dtype=torch.float64)}, path)
    with pytest.raises(WeightsError, match="NaN or infinite"):
        load_weights(nn.Linear(1, 1, bias=False), path)
    save_file({"weight": torch.ones(1, 1, dtype=torch.int64)}, path)
    with pytest.raises(WeightsError, match=r"as torch\.int64; expected torch\.float32"):
        load_weights(nn.Linear(1, 1, bias=False), path)


def test_names_in_messages_are_short_and_clean(tmp_path: Path) -> None:
    hostile = "\x1b[31m" + "a" * 10_000 + "\n\r\x00"
    save_file({hostile: torch.zeros(1)}, tmp_path / "w.safetensors", {"entry": hostile})
    for load in (
        lambda: load_weights(nn.Identity(), tmp_path / "w.safetensors"),
        lambda: rr.create_denoiser(NAME, weights=str(tmp_path / "w.safetensors")),
    ):
        with pytest.raises(WeightsError) as error:
            load()
        assert str(error.value).isprintable()
        assert len(str(error.value)) < 600


def test_what_is_not_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder.safetensors").mkdir()
    for word in (str(tmp_path / "folder.safetensors"), "a" * 5_000 + ".safetensors", "a\0.pt", ""):
        with pytest.raises(WeightsError):
            rr.create_denoiser(NAME, weights=word)


COMBINATIONS = {
    "deep": '{"chain": [' * 4_000 + "]}" * 4_000,
    "no_members": '{"chain": []}',
    "many": json.dumps({"chain": [{"entry": "jpeg", "options": {}}] * 100}),
    "entry": '{"entry": "no_such_purifier", "options": {}}',
    "kind": '{"chain": [{"entry": 5}]}',
    "options": '{"chain": [{"entry": "jpeg", "options": {"quality": "high"}}]}',
    "weights": '{"chain": [{"entry": "denoiser:dncnn_test", "options": {"weights": 5}}]}',
    "empty": "{}",
    "text": '"jpeg"',
}


@pytest.mark.parametrize("case", COMBINATIONS)
def test_combinations_in_a_file_are_read_with_the_same_suspicion(
    tmp_path: Path, case: str
) -> None:
    path = tmp_path / "w.safetensors"
    metadata = {"kind": "purifiers", "entry": "median", "build": COMBINATIONS[case]}
    save_file({"x": torch.zeros(1)}, path, metadata)
    with pytest.raises(WeightsError):
        rr.create_purifier("median", weights=str(path))


def mutated(content: bytes, chance: random.Random) -> bytes:
    """A file with a few faults: flipped bits, cut, filled, swapped, or another header."""
    kind = chance.randrange(7)
    changed = bytearray(content)
    (length,) = struct.unpack("<Q", content[:8])
    if kind == 0:
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    elif kind == 1:  # within the header, where it tells most
        for _ in range(chance.randint(1, 3)):
            changed[chance.randrange(8 + length)] = chance.randrange(256)
    elif kind == 2:
        del changed[chance.randrange(len(changed)) :]
    elif kind == 3:
        begin = chance.randrange(len(changed))
        changed[begin : begin + 8] = chance.choice((b"\0" * 8, b"\xff" * 8, b"\x7f" * 8))
    elif kind == 4:
        header, tensors = split(content)
        name = chance.choice([n for n in header if n != "__metadata__"])
        fault = chance.choice(("shape", "dtype", "data_offsets", "name"))
        if fault == "name":
            header[chance.choice(("", "\n", "a" * 500, "net"))] = header.pop(name)
        elif fault == "dtype":
            header[name]["dtype"] = chance.choice(("F64", "I64", "BOOL", "F8_E4M3", "X", None))
        else:
            values = [chance.choice((0, 1, -1, 2**31, 2**63, 10**30, "x")) for _ in range(2)]
            header[name][fault] = values
        return joined(header, tensors)
    elif kind == 5:
        header, tensors = split(content)
        options = json.loads(header["__metadata__"]["options"])
        options[chance.choice(list(options))] = chance.choice(
            (None, True, -1, 0, 1, 2, 3, 7, 999_999, 10**12, 0.5, 1e308, "a", [], [1], {}, [0, 0])
        )
        return with_options(content, json.dumps(options))
    else:
        text = bytearray(split_text(content))
        text[chance.randrange(len(text))] ^= 1 << chance.randrange(8)
        header, tensors = split(content)
        header["__metadata__"]["options"] = text.decode("utf-8", "replace")
        return joined(header, tensors)
    return bytes(changed)


def split_text(content: bytes) -> bytes:
    header, _ = split(content)
    return str(header["__metadata__"]["options"]).encode()


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(300, id="some"),
        pytest.param(10_000, id="all", marks=[pytest.mark.slow, pytest.mark.exhaustive]),
    ],
)
def test_mutated_files_give_a_sentence_or_a_network(
    good: bytes, tmp_path: Path, count: int
) -> None:
    chance = random.Random(count)
    path = tmp_path / "bad.safetensors"
    refused = loaded = longest = changed = 0
    whole = loads(good)
    before = peak()
    for _ in range(count):
        content = mutated(good, chance)
        path.write_bytes(content)
        try:
            model = rr.create_denoiser(NAME, weights=str(path))
        except WeightsError as error:
            refused += 1
            longest = max(longest, len(str(error)))
        else:
            loaded += 1
            state = model.state_dict()
            different = any(not torch.equal(tensor, state[key]) for key, tensor in whole.items())
            # Faults that hit the checksum's name as well make a file of one that never had it.
            changed += different and "sha256" in read_weights(path)[1]
    print(  # noqa: T201
        f"{count} mutated files: {refused} refused, {loaded} loaded, {changed} changed in silence"
    )
    assert changed == 0
    assert refused > 0.5 * count
    assert longest < 1500
    assert peak() - before < 200

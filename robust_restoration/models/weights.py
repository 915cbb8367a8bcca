"""Weights: safetensors files that say what they are for; read with care, loaded all or nothing.

Nothing is ever unpickled. A file's header names the entry it belongs to and the options it was
built with, so that the file alone makes the right network. What a file says is checked before it
costs memory or time: the network is tried out on the meta device and compared with the file first.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.modules import module as registration
from torch.overrides import TorchFunctionMode

from robust_restoration.contracts import in_eval_mode
from robust_restoration.errors import InputError, WeightsError, cleaned, first_words
from robust_restoration.files import atomic_path, json_text
from robust_restoration.plugins.registry import registry
from robust_restoration.plugins.targets import load_target

from .classifiers import check_module
from .shipped import find_weights, is_file, shipped
from .weights_header import build, check_types, read_json

FORMAT = "robust_restoration"
CHECKSUM = "sha256"  # of all else in the file; a bit that flips would go unnoticed without
LARGEST_HEADER = 2**24  # bytes; real ones have some thousands
Build = Callable[[], nn.Module]


@contextmanager
def _opened(path: Path | str) -> Iterator[Any]:
    """A safetensors file; whatever goes wrong inside is a `WeightsError`."""
    path = Path(path)
    if not is_file(path):
        raise WeightsError(f"There is no file of weights {cleaned(str(path), 200)}.")
    try:
        with path.open("rb") as raw:
            head = raw.read(8)
        if head[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
            raise WeightsError(
                f"{path} is a pickled checkpoint, which is never loaded here since it could run "
                "any code; convert it once with safetensors.torch.save_file."
            )
        if int.from_bytes(head, "little") > LARGEST_HEADER:
            raise ValueError("its header is too long")
        with safe_open(path, "pt") as file:
            yield file
    except WeightsError:
        raise
    except Exception as error:  # the library raises many kinds
        raise WeightsError(
            f"{path} is truncated, damaged or not a safetensors file ({first_words(error)}); "
            "get it again from where it came."
        ) from error


class WeightsFile:
    """A safetensors file, of which nothing but the header is read yet.

    Attributes:
        path: The file.
        shapes: By tensors' names.
        metadata: What the header says beside.

    Raises:
        WeightsError: As `read_weights`.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        with _opened(self.path) as file:
            self.shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
            self.metadata: dict[str, str] = file.metadata() or {}

    def check_made_for(self, kind: str, name: str) -> None:
        """Raise a `WeightsError` where it says that it is for another entry or kind."""
        made_for, of_kind = self.metadata.get("entry", name), self.metadata.get("kind", kind)
        if made_for != name or of_kind != kind:
            said = made_for if of_kind == kind else f"{of_kind}/{made_for}"
            raise WeightsError(
                f"{self.path} holds weights for {cleaned(said)!r}, not for {name!r}."
            )

    def compare(self, module: nn.Module) -> None:
        """Raise a `WeightsError` that says in what it and a module differ, if they do."""
        shapes = self.shapes
        expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
        missing, foreign = expected.keys() - shapes.keys(), shapes.keys() - expected.keys()
        other = sorted(n for n in expected.keys() & shapes.keys() if expected[n] != shapes[n])
        faults = []
        if missing:
            faults.append(f"{len(missing)} tensors are missing, such as {cleaned(min(missing))}")
        if foreign:
            faults.append(f"{len(foreign)} are not of it, such as {cleaned(min(foreign))}")
        if other:
            first = f"{cleaned(other[0])} is {shapes[other[0]]}, expected {expected[other[0]]}"
            faults.append(f"{len(other)} have another shape ({first})")
        if faults:
            made_for = self.metadata.get("entry")
            hint = f" The file says that it is for {cleaned(made_for)!r}." if made_for else ""
            raise WeightsError(
                f"{self.path} does not fit {type(module).__name__}: {'; '.join(faults)}.{hint}"
            )

    def fill(self, module: nn.Module) -> None:
        """Load the tensors into a module, all or nothing; see `load_weights`."""
        self.compare(module)
        tensors, _ = read_weights(self.path)
        state = module.state_dict()
        for name, tensor in tensors.items():
            expected = state[name]
            if tensor.is_floating_point() != expected.is_floating_point():
                raise WeightsError(
                    f"{self.path} holds {cleaned(name)!r} as {tensor.dtype}; expected "
                    f"{expected.dtype}."
                )
            if not bool(torch.isfinite(tensor.to(expected.dtype)).all()):
                raise WeightsError(
                    f"{self.path} holds NaN or infinite values, such as in {cleaned(name)!r}; it "
                    "is damaged or of a training that diverged."
                )
        module.load_state_dict(tensors)

    def build(self, create: Build, *, trusted: bool = False) -> nn.Module:
        """Build a network and fill it; one from elsewhere is first tried out on the meta device."""
        limit = 1000 + 20 * len(self.shapes)
        try:
            with torch.random.fork_rng(devices=[]):
                if not trusted:
                    self._try_out(create, limit)
                with _at_most(limit):
                    module = create()
        except WeightsError:
            raise
        except Exception as error:  # the options are the file's, so that anything may be raised
            raise WeightsError(
                f"{self.path} was saved with options that make no network here: "
                f"{first_words(error)}"
            ) from error
        self.fill(module)
        return in_eval_mode(module)

    def build_chain(self, *, trusted: bool = False) -> nn.Module:
        """The `Chain` that it says it is of."""
        content = read_json(self.metadata["build"], self.path)
        return self.build(lambda: build(content, self.path), trusted=trusted)

    def _try_out(self, create: Build, limit: int) -> None:
        """Compare a network with the file before it takes memory."""
        try:
            with _at_most(limit), torch.device("meta"), _Unfilled():
                tried = create()
        except (NotImplementedError, RuntimeError) as error:
            if "meta" in str(error):
                return  # its constructor reads values, and cannot be tried out
            raise
        self.compare(tried)


def read_weights(path: Path | str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a safetensors file.

    Args:
        path: The file.

    Returns:
        Its tensors by name, and its header's metadata.

    Raises:
        WeightsError: If it is missing, truncated, or of another format, or not what was saved;
            pickles are refused.
    """
    with _opened(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        metadata: dict[str, str] = file.metadata() or {}
        said = metadata.get(CHECKSUM)  # files of other writers have none
        if said is not None and said != checksum(tensors, metadata):
            raise ValueError("its checksum does not fit its content")
    return tensors, metadata


def write_weights(
    path: Path | str, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> None:
    """Write a safetensors file with its checksum, whole or not at all.

    Raises:
        OSError: If it cannot be written.
    """
    kept = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    header = {**metadata, CHECKSUM: checksum(kept, dict(metadata))}
    with atomic_path(path) as temporary:
        try:
            save_file(kept, temporary, header)
        except SafetensorError as error:  # how the library tells of a full disk
            raise OSError(f"{path} could not be written: {first_words(error)}") from error


def checksum(tensors: dict[str, Tensor], metadata: dict[str, str]) -> str:
    """The SHA-256 of tensors, with names, shapes and kinds, and of what is said beside."""
    said = sorted((key, value) for key, value in metadata.items() if key != CHECKSUM)
    digest = hashlib.sha256(json.dumps(said).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def load_weights(module: nn.Module, path: Path | str) -> dict[str, str]:
    """Load weights into a module, all or nothing.

    Args:
        module: Where they go, in the module's own dtype and device.
        path: A safetensors file.

    Returns:
        The file's metadata.

    Raises:
        WeightsError: If the file cannot be read, is for another architecture, or holds values that
            are not finite.
    """
    check_module(module, "module")
    file = WeightsFile(path)
    file.fill(module)
    return file.metadata


def save_weights(
    module: nn.Module,
    path: Path | str,
    *,
    kind: str,
    name: str,
    card: dict[str, Any] | None = None,
    half: bool = False,
) -> None:
    """Save weights so that `create_purifier` and its like can use the file by itself.

    File and card are written whole or not at all.

    Args:
        module: What to save; its ``options`` attribute, if any, is kept with it. A `Chain`
            is kept with what it is made of.
        path: The safetensors file to write.
        kind: ``"purifiers"`` or ``"denoisers"``.
        name: The entry's name.
        card: The model card, written as JSON beside the file.
        half: Store floating-point tensors as float16.

    Raises:
        InputError: If the file's name does not end in ``.safetensors``, or values do not fit into
            float16.
        OSError: If the file cannot be written.
    """
    check_module(module, "module")
    path = Path(path)
    if path.suffix != ".safetensors":
        raise InputError(f"Weights are written as .safetensors; got {path.name!r}.")
    tensors = {}
    for key, tensor in module.state_dict().items():
        tensors[key] = tensor
        if half and tensor.is_floating_point():
            tensors[key] = tensor.half()
            if bool((torch.isfinite(tensor) & ~torch.isfinite(tensors[key])).any()):
                raise InputError(f"{key} has values beyond float16's range; save with half=False.")
    metadata = {"format": FORMAT, "kind": kind, "entry": name}
    described = getattr(module, "described", None)  # of what is made of other entries
    if described is not None:
        metadata["build"] = json.dumps(described())
    else:
        metadata["options"] = json.dumps(getattr(module, "options", {}))
    with ExitStack() as files:  # the card takes its place last, once the weights have theirs
        if card is not None:
            beside = files.enter_context(atomic_path(path.with_suffix(".json")))
            beside.write_text(json_text(card), encoding="utf-8")
        write_weights(path, tensors, metadata)


def create_with_weights(kind: str, name: str, weights: str, options: dict[str, Any]) -> nn.Module:
    """Create an entry with weights, built with the options the weights were saved with.

    Global random numbers are as before afterwards.

    Raises:
        InputError: If an option is not one that the entry takes.
        WeightsError: If the weights are for another entry, or do not fit the options given, or the
            file is damaged.
    """
    offer, member = registry().find(kind, name)
    if member is not None:  # of a family, such as denoiser:NAME: the weights are the member's
        made: nn.Module = registry().create(kind, name, weights=weights, **options)
        return in_eval_mode(made)
    file = WeightsFile(find_weights(kind, name, weights))
    # A package's own file is trusted as its code is.
    trusted = file.path.resolve() in {known.resolve() for known in shipped(kind, name).values()}
    file.check_made_for(kind, offer.entry.name)
    if "build" in file.metadata:
        if options:
            raise InputError(
                f"{file.path} holds a combination of purifiers, which takes no options; got "
                f"{', '.join(options)}."
            )
        return file.build_chain(trusted=trusted)
    saved = read_json(file.metadata.get("options", "{}"), file.path)
    saved = {option: value for option, value in saved.items() if option not in options}
    check_types(load_target(offer.entry), saved, file.path)
    try:
        return file.build(
            lambda: registry().create(kind, name, **saved, **options), trusted=trusted
        )
    except WeightsError as error:
        if options and isinstance(error.__cause__, InputError):
            raise error.__cause__ from error  # the caller's own option, most likely
        raise


class _Unfilled(TorchFunctionMode):
    """Tensors stay empty inside: to fill them on the meta device loads 870 modules first (3 s)."""

    FILLS = tuple(
        f"{word}_"
        for word in "normal uniform random zero zeros ones fill constant eye dirac orthogonal "
        "clamp mul add sub div copy".split()
    )

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        first = args[0] if args else (kwargs or {}).get("tensor")
        name = str(getattr(func, "__name__", ""))
        if isinstance(first, Tensor) and name.endswith(self.FILLS):
            return first
        return func(*args, **(kwargs or {}))


@contextmanager
def _at_most(parts: int) -> Iterator[None]:
    """No more than so many parts of modules are made inside, by this thread."""
    mine, made = threading.get_ident(), 0

    def count(*_: Any) -> None:
        nonlocal made
        if threading.get_ident() == mine:
            made += 1
            if made > parts:
                raise ValueError("they ask for far more layers than the file has tensors")

    with ExitStack() as hooks:
        for register in (
            registration.register_module_parameter_registration_hook,
            registration.register_module_buffer_registration_hook,
            registration.register_module_module_registration_hook,
        ):
            hooks.callback(register(count).remove)
        yield

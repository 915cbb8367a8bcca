"""Threats: what attacks, through what its gradient goes, how strong it is."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from robust_restoration.contracts import Attack
from robust_restoration.errors import InputError
from robust_restoration.models.create import create_attack
from robust_restoration.numbers import check_count, parse_call
from robust_restoration.plugins.registry import registry
from robust_restoration.plugins.targets import load_target

WHOLE, BARE, EACH = "whole", "bare", "each"
# What a word alone stands for: what the gradient goes through, and the role of the attack.
WORDS = {
    "gray-box": (BARE, "classifier"),
    "white-box": (WHOLE, "classifier"),
    "black-box": (WHOLE, "black-box"),
}
# For attacks on classifiers that say nothing else: 40 steps, and 200 queries an image.
USUAL = {"steps": 40, "n_queries": 200}
REACH = 2.5  # how many eps all steps together are long where an attack's own alpha is a number


@dataclass(frozen=True)
class Threat:
    """An attack, and what its attacker knows.

    Attributes:
        attack: A name, an `Attack`, or a callable that makes one of a model; ``None`` for what the
            registry says is the default for the subject.
        options: The attack's options. A word ``eps/30`` or ``0.1eps`` is that share of the eps.
        through: What is attacked: ``"whole"``, the subject as it is, purifier and all,
            straight-through where it is not differentiable and in expectation where it is random
            (white-box); ``"bare"``, the classifier without its purifiers (gray-box); the name of
            another subject, or a module (transfer); ``"each"``, one threat for every subject.
        eps: Its budget, or several, as fractions of [0, 1]; `evaluate`'s by default.
        norm: Passed to the attack where it takes one.
        controls: Whether its controls are measured; as `evaluate` says by default.
        limit: Use it on the first so many images only.
        draws: Draws of the expectation over a random subject.
        name: What tables call it.
    """

    attack: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)
    through: Any = WHOLE
    eps: float | Sequence[float] | None = None
    norm: Any = None
    controls: bool | None = None
    limit: int | None = None
    draws: int = 8
    name: str = ""

    def __post_init__(self) -> None:
        strengths = self.strengths()
        if any(not isinstance(e, int | float) or not 0 <= e <= 1 for e in strengths):
            raise InputError(
                f"eps of the threat {self.label!r} is {self.eps!r}; expected budgets from 0 to 1, "
                "such as 5/255."
            )
        check_count(f"draws of the threat {self.label!r}", self.draws)
        if self.limit is not None:
            check_count(f"limit of the threat {self.label!r}", self.limit)

    def strengths(self) -> list[float]:
        """Its budgets, ascending; none where it leaves them to `evaluate`."""
        if self.eps is None:
            return []
        given = [self.eps] if isinstance(self.eps, int | float) else list(self.eps)
        return sorted({float(e) for e in given})

    @property
    def label(self) -> str:
        """What tables call it."""
        if self.name:
            return self.name
        word = self.attack if isinstance(self.attack, str) else _class_name(self.attack)
        said = "".join(f" {k}={_short(v)}" for k, v in self.options.items())
        source = f" on {self.through}" if self.through not in (WHOLE, BARE, EACH) and isinstance(
            self.through, str
        ) else ""
        return f"{word}{said}{source}"


FIELDS = tuple(f.name for f in dataclasses.fields(Threat) if f.name != "options")


def parse_threats(given: Any, role: str, subjects: Sequence[str]) -> list[Threat]:
    """Every threat in full: with an attack, a name, and one subject a threat.

    Args:
        given: Words, attacks, dictionaries and `Threat`s, or a mapping from labels to these;
            ``None`` for the usual ones.
        role: ``"denoiser"`` or ``"classifier"``.
        subjects: Names of the subjects, which ``through`` may name.

    Raises:
        InputError: If one makes no sense, or two would be called the same.
        UnknownNameError: If there is no such attack.
    """
    if given is None:
        given = list(WORDS) if role == "classifier" else [Threat()]
    if isinstance(given, str | Threat):
        raise InputError(f"threats is {given!r}; expected a list: threats=[{given!r}].")
    if isinstance(given, Mapping):
        found = [dataclasses.replace(_parse(v, role), name=str(k)) for k, v in given.items()]
    else:
        found = [_parse(item, role) for item in given]
    found = [each for threat in found for each in _spread(threat, subjects)]
    names = [threat.label for threat in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"Two threats would be called {twice[0]!r}; give them a name each, such as "
            "Threat(..., name=...)."
        )
    if "unattacked" in names:
        raise InputError("'unattacked' is the row without a threat; call the threat otherwise.")
    return [dataclasses.replace(threat, name=threat.label) for threat in found]


def _parse(item: Any, role: str) -> Threat:
    if isinstance(item, str):
        threat = _from_word(item)
    elif isinstance(item, Mapping):
        threat = _from_options(dict(item))
    elif isinstance(item, Threat):
        threat = item
    elif isinstance(item, Attack) or callable(item):
        threat = Threat(item)
    else:
        raise InputError(
            f"A threat is {item!r}; expected a name, an attack, a dictionary or a Threat."
        )
    return _resolved(threat, role)


def _from_word(text: str) -> Threat:
    """``NAME option=value ...`` as a threat."""
    name, options = parse_call(text)
    return _from_options({"attack": name, "name": text, **options})


def _from_options(given: dict[str, Any]) -> Threat:
    known = {k: given.pop(k) for k in FIELDS if k in given}
    return Threat(options={**given.pop("options", {}), **given}, **known)


def _resolved(threat: Threat, role: str) -> Threat:
    word, name = threat.attack, threat.name
    if isinstance(word, str) and word in WORDS:
        if role != "classifier":
            raise InputError(f"{word!r} is a threat to classifiers; name an attack on denoisers.")
        through, role = WORDS[word]
        threat = dataclasses.replace(threat, through=through, attack=None, name=name or word)
    if threat.through == BARE and role == "denoiser":
        raise InputError("A denoiser has no purifier to leave out; expected through='whole'.")
    if threat.attack is None:
        default = registry().default("attacks", role)
        _, _, short = default.partition("/")
        threat = dataclasses.replace(threat, attack=default, name=threat.name or short)
    elif isinstance(threat.attack, str):
        threat = dataclasses.replace(
            threat, attack=_full_name(threat.attack), name=threat.label
        )
    return threat


def _full_name(word: str) -> str:
    """A name, or the one name that ends in ``/word``."""
    known = registry().list("attacks")
    if word not in known:
        longer = [name for name in known if name.endswith(f"/{word}")]
        if len(longer) == 1:
            return longer[0]
    registry().find("attacks", word)
    return word


def _spread(threat: Threat, subjects: Sequence[str]) -> Iterator[Threat]:
    if threat.through == EACH:
        for subject in subjects:
            yield dataclasses.replace(
                threat, through=subject, name=f"{threat.label} on {subject}"
            )
        return
    through = threat.through
    if isinstance(through, str) and through not in (WHOLE, BARE, *subjects):
        raise InputError(
            f"The threat {threat.label!r} goes through {through!r}; expected 'whole', 'bare', "
            f"'each', a module, or a subject: {', '.join(subjects)}."
        )
    yield threat


def make_attack(
    threat: Threat, model: nn.Module, eps: float, *, seed: int, classifier: bool, **usual: Any
) -> Attack:
    """The attack of a threat on a model.

    Args:
        threat: A parsed one.
        model: What is attacked.
        eps: Its budget.
        seed: Of its random numbers.
        classifier: Whether a classifier is attacked: its attacks get 40 steps, or 200 queries, of
            together 2.5 eps, where nothing else is said.
        **usual: Options that are offered to it, such as ``sigma``.
    """
    options = {k: _share(v, eps) for k, v in threat.options.items()}
    if isinstance(threat.attack, Attack):
        return threat.attack
    if not isinstance(threat.attack, str):
        takes = _parameters(threat.attack)
        offered = {"eps": eps, "seed": seed, **usual}
        offered = {k: v for k, v in offered.items() if k in takes}
        made = threat.attack(model, **{**offered, **options})
        if not isinstance(made, Attack):
            raise InputError(
                f"The threat {threat.name!r} makes a {type(made).__name__} of a model; expected a "
                "robust_restoration.Attack. torchattacks' own are 'torchattacks/NAME'."
            )
        return made
    name, known = threat.attack, registry()
    offered = {"eps": eps, "seed": seed, "norm": threat.norm, **usual}
    if classifier:
        offered |= USUAL
    offered = {k: v for k, v in offered.items() if v is not None}
    options = {**known.accepted("attacks", name, offered), **options}
    takes = _parameters(load_target(known.find("attacks", name)[0].entry))
    alpha = takes.get("alpha")
    if alpha is not None and isinstance(alpha.default, float) and "steps" in options:
        options.setdefault("alpha", REACH * eps / options["steps"])
    return create_attack(name, model, **options)


def budget(threat: Threat, default: Sequence[float]) -> list[float]:
    """The strengths of a threat, ascending; 0 is left out, since it is no attack."""
    if isinstance(threat.attack, Attack):
        eps = getattr(threat.attack, "eps", None)
        return [float(eps)] if isinstance(eps, int | float) else [float("nan")]
    strengths = threat.strengths() or sorted(set(default))
    return [e for e in strengths if e > 0]


def attacked_images(
    attack: Attack, inputs: Tensor, targets: Tensor, numbers: Sequence[int], *, seed: int
) -> Tensor:
    """What an attack makes of images, each by the seed and its number alone.

    Args:
        attack: The attack; where it has no seed of its own, it gets one.
        inputs: (N, C, H, W).
        targets: Clean images (N, C, H, W), or labels (N,).
        numbers: The images' numbers.
        seed: Of random numbers.
    """
    attack = copy.copy(attack)
    attack.seed = seed if attack.seed is None else attack.seed
    return attack(inputs, targets, index=numbers)


def describe(threat: Threat, attack: Attack, strengths: Sequence[float]) -> dict[str, Any]:
    """A threat as plain data, for a result's settings."""
    source = threat.through if isinstance(threat.through, str) else _class_name(threat.through)
    return {
        "attack": threat.attack if isinstance(threat.attack, str) else _class_name(threat.attack),
        "options": {k: _plain(v) for k, v in threat.options.items()},
        "through": source,
        "eps": list(strengths),
        "norm": _plain(attack.norm),
        "differentiates": attack.differentiates,
        "limit": threat.limit,
        "draws": threat.draws,
    }


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def _share(value: Any, eps: float) -> Any:
    """``eps/30`` and ``0.1eps`` in numbers."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"([\d.]*) ?\*? ?eps(?: ?/ ?([\d.]+))?", value)
    return value if match is None else float(match[1] or 1) * eps / float(match[2] or 1)


def _class_name(value: Any) -> str:
    return getattr(value, "__name__", type(value).__name__)


def _plain(value: Any) -> Any:
    plain = isinstance(value, int | float | str | bool | type(None))
    return value if plain and value != float("inf") else str(value)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

"""Threats: what attacks, through what its gradient goes, how strong it is."""

from __future__ import annotations

import copy
import dataclasses
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn

from robust_restoration.contracts import Attack
from robust_restoration.errors import InputError
from robust_restoration.models.create import create_attack
from robust_restoration.numbers import check_count, is_number, parse_attack
from robust_restoration.plugins.registry import registry
from robust_restoration.plugins.targets import load_target, parameters_of

WHOLE, BARE, EACH = "whole", "bare", "each"
# What a word alone stands for: what the gradient goes through, and the role of the attack.
WORDS = {
    "gray-box": (BARE, "classifier"),
    "white-box": (WHOLE, "ensemble"),
    "white-box-quick": (WHOLE, "classifier"),  # quick, and weaker
    "black-box": (WHOLE, "black-box"),
}
USUAL_WORDS = ("gray-box", "white-box", "black-box")
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
        if any(not is_number(e) or not 0 <= e <= 1 for e in listed(self.eps)):
            raise InputError(
                f"eps of the threat {self.label!r} is {self.eps!r}; expected budgets from 0 to 1, "
                "such as 5/255."
            )
        for option in ("draws", "limit"):
            if getattr(self, option) is not None:
                check_count(f"{option} of the threat {self.label!r}", getattr(self, option))

    @property
    def label(self) -> str:
        """What tables call it."""
        if self.name:
            return self.name
        said = "".join(
            f" {k}={v:.4g}" if isinstance(v, float) else f" {k}={v}"
            for k, v in self.options.items()
        )
        elsewhere = isinstance(self.through, str) and self.through not in (WHOLE, BARE, EACH)
        return f"{_word(self.attack)}{said}" + (f" on {self.through}" if elsewhere else "")

    def strengths(self, default: Sequence[float] = ()) -> list[float]:
        """Its budgets, ascending; 0 is left out, since it is no attack.

        An attack that is given as such has its own, or infinity where it has none.

        Args:
            default: Where it has none of its own.

        Raises:
            InputError: If there is none above 0.
        """
        if isinstance(self.attack, Attack):
            eps: Any = self.attack.eps
            if isinstance(eps, Tensor):  # one an image
                return [float(eps.max())]
            return [float(eps) if is_number(eps) else math.inf]
        found = sorted({float(e) for e in listed(self.eps) or default if e > 0})
        if not found:
            raise InputError(
                f"The threat {self.label!r} has no eps above 0; expected at least one."
            )
        return found

    def make(self, model: nn.Module, eps: float, *, classifier: bool, **offered: Any) -> Attack:
        """Its attack on a model.

        Args:
            model: What is attacked.
            eps: The budget.
            classifier: Whether a classifier is attacked: attacks by name get 40 steps, or 200
                queries, of together 2.5 eps, where nothing else is said.
            **offered: Options that it is given where it takes them, such as ``sigma``.
        """
        if isinstance(self.attack, Attack):
            return self.attack
        named = isinstance(self.attack, str)
        target: Any = self.attack
        if named:
            target = load_target(registry().find("attacks", self.attack)[0].entry)
        takes = parameters_of(target)
        offered |= {"eps": eps, "norm": self.norm, **(USUAL if named and classifier else {})}
        options = {k: v for k, v in offered.items() if v is not None and k in takes}
        options |= {k: _share(v, eps) for k, v in self.options.items()}
        if not named:
            made = target(model, **options)
            if isinstance(made, Attack):
                return made
            raise InputError(
                f"The threat {self.name!r} makes a {type(made).__name__} of a model; expected a "
                "robust_restoration.Attack. torchattacks' own are 'torchattacks/NAME'."
            )
        if "alpha" in takes and isinstance(takes["alpha"].default, float) and "steps" in options:
            options.setdefault("alpha", REACH * eps / options["steps"])
        return create_attack(self.attack, model, **options)

    def described(self, attack: Attack, strengths: Sequence[float]) -> dict[str, Any]:
        """It as plain data, for a result's settings."""
        return {
            "attack": _word(self.attack),
            "options": {k: _plain(v) for k, v in self.options.items()},
            "through": _word(self.through),
            "eps": [None if math.isinf(eps) else eps for eps in strengths],
            "norm": _plain(attack.norm),
            "differentiates": attack.differentiates,
            "limit": self.limit,
            "draws": self.draws,
        }


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
        given = list(USUAL_WORDS) if role == "classifier" else [Threat()]
    if isinstance(given, str | Threat):
        raise InputError(f"threats is {given!r}; expected a list: threats=[{given!r}].")
    named = given.items() if isinstance(given, Mapping) else [("", item) for item in given]
    found: dict[str, Threat] = {}
    for name, item in named:
        for threat in _spread(_resolved(_parse(item, str(name)), role), subjects):
            if threat.label in found:
                raise InputError(
                    f"Two threats would be called {threat.label!r}; give them a name each, such as "
                    "Threat(..., name=...)."
                )
            found[threat.label] = replace(threat, name=threat.label)
    if "unattacked" in found:
        raise InputError("'unattacked' is the row without a threat; call the threat otherwise.")
    return list(found.values())


def _parse(item: Any, name: str) -> Threat:
    if isinstance(item, str):
        attack, options = parse_attack(item)
        item = {"attack": attack, "name": item, **options}
    if isinstance(item, Mapping):
        known = {f.name for f in dataclasses.fields(Threat)} - {"options"}
        own = {k: v for k, v in item.items() if k not in known and k != "options"}
        item = Threat(
            options={**item.get("options", {}), **own},
            **{k: v for k, v in item.items() if k in known},
        )
    elif isinstance(item, Attack) or (callable(item) and not isinstance(item, Threat)):
        item = Threat(item)
    if not isinstance(item, Threat):
        raise InputError(
            f"A threat is {item!r}; expected a name, an attack, a dictionary or a Threat."
        )
    return replace(item, name=name or item.name)


def _resolved(threat: Threat, role: str) -> Threat:
    """With the attack's full name."""
    word = threat.attack
    if isinstance(word, str) and word in WORDS:
        if role != "classifier":
            raise InputError(f"{word!r} is a threat to classifiers; name an attack on denoisers.")
        through, role = WORDS[word]
        threat = replace(threat, through=through, attack=None, name=threat.name or word)
    if threat.through == BARE and role == "denoiser":
        raise InputError("A denoiser has no purifier to leave out; expected through='whole'.")
    if threat.attack is None:
        default = registry().default("attacks", role)
        return replace(threat, attack=default, name=threat.name or default.partition("/")[2])
    if isinstance(threat.attack, str):
        known = registry().list("attacks")
        longer = [full for full in known if full.endswith(f"/{threat.attack}")]
        full = longer[0] if threat.attack not in known and len(longer) == 1 else threat.attack
        registry().find("attacks", full)
        return replace(threat, attack=full, name=threat.label)
    return threat


def _spread(threat: Threat, subjects: Sequence[str]) -> Iterator[Threat]:
    if threat.through == EACH:
        for subject in subjects:
            yield replace(threat, through=subject, name=f"{threat.label} on {subject}")
        return
    if isinstance(threat.through, str) and threat.through not in (WHOLE, BARE, *subjects):
        raise InputError(
            f"The threat {threat.label!r} goes through {threat.through!r}; expected 'whole', "
            f"'bare', 'each', a module, or a subject: {', '.join(subjects)}."
        )
    yield threat


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


def listed(eps: float | Sequence[float] | None) -> list[float]:
    """One budget, or several, as a list."""
    if eps is None:
        return []
    return list(eps) if isinstance(eps, Iterable) else [eps]


def _share(value: Any, eps: float) -> Any:
    """``eps/30`` and ``0.1eps`` in numbers."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"([\d.]*) ?\*? ?eps(?: ?/ ?([\d.]+))?", value)
    return value if match is None else float(match[1] or 1) * eps / float(match[2] or 1)


def _word(value: Any) -> str:
    return value if isinstance(value, str) else getattr(value, "__name__", type(value).__name__)


def _plain(value: Any) -> Any:
    plain = isinstance(value, int | float | str | bool | type(None))
    return value if plain and value != math.inf else str(value)

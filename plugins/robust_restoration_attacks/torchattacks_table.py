"""What each attack of torchattacks 3.5 is; a test compares the names with what is installed."""

from __future__ import annotations

import math
from typing import NamedTuple

NORMS = {"Linf": math.inf, "L2": 2.0}  # words of torchattacks


class Bridged(NamedTuple):
    """An attack of torchattacks, as `robust_restoration.Attack` declares one.

    Attributes:
        summary: What is listed.
        norm: In which norm ``eps`` limits it; ``None`` without a budget; ``"option"`` where its
            own option ``norm`` says so.
        random: Whether it draws random numbers; ``"random_start"`` where that option says so.
        differentiates: Whether it takes gradients.
        rowwise: Whether it attacks images independently, and draws one row of numbers an image;
            ``"Linf"`` where it does in that norm alone.
        eps: What the original calls its budget.
        double: Whether it can work in float64.
    """

    summary: str
    norm: float | str | None = math.inf
    random: bool | str = False
    differentiates: bool = True
    rowwise: bool | str = True
    eps: str = "eps"
    double: bool = True


TORCHATTACKS = {
    # One seed, schedule or early stop for a whole batch: rowwise=False.
    "apgd": Bridged("L-inf or L2, adaptive steps", "option", True),
    "apgdt": Bridged("L-inf or L2, adaptive steps, targeted", "option", True, rowwise="Linf"),
    "autoattack": Bridged("L-inf or L2, the standard ensemble", "option", True, rowwise=False),
    "bim": Bridged("L-inf, iterated FGSM"),
    "cw": Bridged("L2, Carlini and Wagner", None, rowwise=False),
    "deepfool": Bridged("L2, nearest boundary", None),
    "difgsm": Bridged("L-inf, diverse inputs", random=True, rowwise=False),
    "eaden": Bridged("L1/L2, elastic net", None, rowwise=False, double=False),
    "eadl1": Bridged("L1, elastic net", None, rowwise=False, double=False),
    "eotpgd": Bridged("L-inf PGD over randomness", random="random_start"),
    "fab": Bridged("L-inf or L2, fast adaptive boundary", "option", True, double=False),
    "ffgsm": Bridged("L-inf, FGSM from a random start", random=True),
    "fgsm": Bridged("L-inf, one step"),
    "gn": Bridged("Gaussian noise", None, True, differentiates=False),
    "jitter": Bridged("L-inf, jittered logits", random=True),
    "jsma": Bridged("L0, saliency map", None),
    "mifgsm": Bridged("L-inf, momentum"),
    "nifgsm": Bridged("L-inf, Nesterov momentum"),
    "onepixel": Bridged("L0, differential evolution", None, True, False, rowwise=False),
    "pgd": Bridged("L-inf PGD", random="random_start"),
    "pgdl2": Bridged("L2 PGD", 2.0, "random_start"),
    "pgdrs": Bridged("L-inf PGD on a smoothed classifier", random=True, rowwise=False),
    "pgdrsl2": Bridged("L2 PGD on a smoothed classifier", 2.0, True, rowwise=False),
    "pifgsm": Bridged("L-inf, patch-wise", eps="max_epsilon", double=False),
    "pifgsmpp": Bridged("L-inf, patch-wise, second version", eps="max_epsilon", double=False),
    "pixle": Bridged("L0, rearranged pixels", None, True, False, rowwise=False),
    "rfgsm": Bridged("L-inf, random start and steps", random=True),
    "sinifgsm": Bridged("L-inf, scale-invariant"),
    "sparsefool": Bridged("L0, sparse boundary", None),
    "spsa": Bridged("L-inf, no gradients", math.inf, True, False, rowwise=False),
    "square": Bridged("L-inf or L2, no gradients", "option", True, False, rowwise="Linf"),
    "tifgsm": Bridged("L-inf, translation-invariant", random=True, double=False),
    "tpgd": Bridged("L-inf PGD on the KL divergence", random=True),
    "upgd": Bridged("L-inf PGD with a choice of losses", random="random_start"),
    "vanila": Bridged("no perturbation", None, differentiates=False),
    "vmifgsm": Bridged("L-inf, variance-tuned momentum", random=True),
    "vnifgsm": Bridged("L-inf, variance-tuned Nesterov", random=True),
}

"""Built-in plugin: attacks."""

from __future__ import annotations

from robust_restoration import Entry, hookimpl

# Names of torchattacks 3.5, with what they limit; a test compares them with what is installed.
TORCHATTACKS = {
    "apgd": "L-inf or L2, adaptive steps",
    "apgdt": "L-inf or L2, adaptive steps, targeted",
    "autoattack": "L-inf or L2, the standard ensemble",
    "bim": "L-inf, iterated FGSM",
    "cw": "L2, Carlini and Wagner",
    "deepfool": "L2, nearest boundary",
    "difgsm": "L-inf, diverse inputs",
    "eaden": "L1/L2, elastic net",
    "eadl1": "L1, elastic net",
    "eotpgd": "L-inf PGD over randomness",
    "fab": "L-inf, L2 or L1, fast adaptive boundary",
    "ffgsm": "L-inf, FGSM from a random start",
    "fgsm": "L-inf, one step",
    "gn": "Gaussian noise",
    "jitter": "L-inf, jittered logits",
    "jsma": "L0, saliency map",
    "mifgsm": "L-inf, momentum",
    "nifgsm": "L-inf, Nesterov momentum",
    "onepixel": "L0, differential evolution",
    "pgd": "L-inf PGD",
    "pgdl2": "L2 PGD",
    "pgdrs": "L-inf PGD on a smoothed classifier",
    "pgdrsl2": "L2 PGD on a smoothed classifier",
    "pifgsm": "L-inf, patch-wise",
    "pifgsmpp": "L-inf, patch-wise, second version",
    "pixle": "L0, rearranged pixels",
    "rfgsm": "L-inf, random start and steps",
    "sinifgsm": "L-inf, scale-invariant",
    "sparsefool": "L0, sparse boundary",
    "spsa": "L-inf, no gradients",
    "square": "L-inf or L2, no gradients",
    "tifgsm": "L-inf, translation-invariant",
    "tpgd": "L-inf PGD on the KL divergence",
    "upgd": "L-inf PGD with a choice of losses",
    "vanila": "no perturbation",
    "vmifgsm": "L-inf, variance-tuned momentum",
    "vnifgsm": "L-inf, variance-tuned Nesterov",
}


ROLES = {"pgd": ("classifier",), "square": ("black-box",)}
OBSATK = "arXiv:2201.04397"
DENOISING_PGD = "arXiv:2306.16050"


@hookimpl
def attacks() -> list[Entry]:
    """The attacks on denoisers, and all of torchattacks' attacks on classifiers."""
    at = "robust_restoration_attacks"
    denoisers = [
        Entry("obsatk", f"{at}.obsatk:ObsAtk", "zero-mean L2 attack on denoisers", OBSATK),
        Entry(
            "obsatk_auto",
            f"{at}.obsatk_auto:ObsAtkAuto",
            "obsatk with adaptive steps: the one to report",
            OBSATK,
            roles=("denoiser",),
        ),
        Entry(
            "denoising_pgd",
            f"{at}.denoising_pgd:DenoisingPGD",
            "L-inf attack on denoisers",
            DENOISING_PGD,
        ),
        Entry(
            "l2_denoising_pgd",
            f"{at}.l2_denoising_pgd:L2DenoisingPGD",
            "L2 attack on denoisers, or at the same noise level",
            DENOISING_PGD,
        ),
        Entry("fgsm", f"{at}.denoising_pgd:FGSM", "one L-inf step on denoisers", "arXiv:1412.6572"),
        Entry(
            "dag", f"{at}.dag:DAG", "clean-looking, restored as if noisy", "arXiv:1703.08603"
        ),
        Entry("worst_case", f"{at}.worst_case:WorstCase", "the worst of several, image by image"),
    ]
    return denoisers + [
        Entry(
            f"torchattacks/{name}",
            f"robust_restoration_attacks.torchattacks_bridge:{name}",
            summary=f"{limits}; for classifiers",
            roles=ROLES.get(name, ()),
        )
        for name, limits in TORCHATTACKS.items()
    ]

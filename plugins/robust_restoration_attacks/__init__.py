"""Built-in plugin: attacks."""

from __future__ import annotations

from robust_restoration import Entry, hookimpl

from .torchattacks_table import TORCHATTACKS

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
        Entry(
            "denoising_pgd_auto",
            f"{at}.denoising_pgd_auto:DenoisingPGDAuto",
            "denoising-PGD's ball with adaptive steps",
            DENOISING_PGD,
        ),
        Entry(
            "low_frequency",
            f"{at}.low_frequency:LowFrequency",
            "obsatk_auto with smooth perturbations alone",
        ),
        Entry(
            "random_squares",
            f"{at}.random_squares:RandomSquares",
            "black box on denoisers: asks for restored images alone",
            "arXiv:1912.00049",
        ),
        Entry(
            "restoration_ensemble",
            f"{at}.restoration_ensemble:RestorationEnsemble",
            "six different attacks in one L2 budget, the worst for each image; versioned",
        ),
        Entry(
            "classifier_ensemble",
            f"{at}.classifier_ensemble:ClassifierEnsemble",
            "APGD-CE, APGD-T, FAB-T, Square, TI-FGSM, for classifiers: the worst; versioned",
            "arXiv:2003.01690",
            roles=("ensemble",),
        ),
        Entry("worst_case", f"{at}.worst_case:WorstCase", "the worst of several, image by image"),
    ]
    return denoisers + [
        Entry(
            f"torchattacks/{name}",
            f"robust_restoration_attacks.torchattacks_bridge:{name}",
            summary=f"{facts.summary}; for classifiers",
            roles=ROLES.get(name, ()),
        )
        for name, facts in TORCHATTACKS.items()
    ]

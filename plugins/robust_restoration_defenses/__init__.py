"""Built-in plugin: defenses, ways of training that make restorers and classifiers hold."""

from __future__ import annotations

from robust_restoration import Entry, hookimpl

JITTER = "arXiv:2307.12822"
OBSATK = "arXiv:2201.04397"
TYPICAL_SET = "arXiv:2412.05943"


@hookimpl
def defenses() -> list[Entry]:
    """The ways of training."""
    at = "robust_restoration_defenses"
    return [
        Entry("standard", f"{at}.standard:Standard", "noise in, clean images expected", OBSATK),
        Entry(
            "adversarial",
            f"{at}.adversarial:Adversarial",
            "on attacked images, all or a share of them",
            OBSATK,
        ),
        Entry(
            "hat",
            f"{at}.hat:HAT",
            "hybrid adversarial training",
            OBSATK,
            roles=("denoiser",),
        ),
        Entry(
            "typical_set",
            f"{at}.typical_set:TypicalSet",
            "atypical noise mixed in: TS-Pres and TS-Def",
            TYPICAL_SET,
        ),
        Entry(
            "mixed_noise",
            f"{at}.mixed_noise:MixedNoise",
            "Gaussian noise of several fixed levels",
            TYPICAL_SET,
        ),
        Entry("jitter", f"{at}.jitter:Jitter", "more noise than at the test", JITTER),
        Entry(
            "jacobian_regularized",
            f"{at}.jacobian_regularized:JacobianRegularized",
            "small changes of what is observed stay small",
            JITTER,
        ),
        Entry(
            "noise2noise",
            f"{at}.noise2noise:Noise2Noise",
            "two noisy copies, no clean images",
            "arXiv:1803.04189",
        ),
        Entry(
            "madry",
            f"{at}.madry:Madry",
            "classifiers on attacked images",
            "arXiv:1706.06083",
            roles=("classifier",),
        ),
        Entry(
            "trades",
            f"{at}.trades:TRADES",
            "classifiers whose answers hold about an image",
            "arXiv:1901.08573",
        ),
        Entry(
            "adversarial_purifier",
            f"{at}.adversarial_purifier:AdversarialPurifier",
            "a purifier, by attacks through it and the frozen classifier",
            "arXiv:2001.03994",
        ),
        Entry(
            "stability",
            f"{at}.stability:Stability",
            "a denoiser after which classifiers say what they say of the clean image",
            "arXiv:2003.01908",
        ),
        Entry(
            "joint",
            f"{at}.joint:Joint",
            "purifier and classifier together, by attacks through both",
            "arXiv:2001.03994",
        ),
    ]


@hookimpl(specname="recipes")  # a submodule of that name would take the hook's place
def offered_recipes() -> list[Entry]:
    """The settings of the papers' trainings."""
    at = "robust_restoration_defenses.recipes"
    return [
        Entry(
            "obsatk-gray",
            f"{at}:OBSATK_GRAY",
            "gray denoisers: 225,000 steps of 128 squares",
            OBSATK,
        ),
        Entry(
            "obsatk-colour",
            f"{at}:OBSATK_COLOUR",
            "colour denoisers: 150,000 steps of 128 squares",
            OBSATK,
        ),
        Entry(
            "obsatk-real",
            f"{at}:OBSATK_REAL",
            "HAT for real noise, alpha = 2: otherwise as obsatk-colour",
            OBSATK,
        ),
        Entry(
            "typical-set",
            f"{at}:TYPICAL_SET",
            "DnCNN at one level: 93,100 steps of 128 squares at four scales",
            TYPICAL_SET,
        ),
        Entry(
            "typical-set-sampling",
            f"{at}:TYPICAL_SET_SAMPLING",
            "TS-Pres and TS-Def: twice as long",
            TYPICAL_SET,
        ),
        Entry(
            "typical-set-mixed",
            f"{at}:TYPICAL_SET_MIXED",
            "noise of two levels: four times as long",
            TYPICAL_SET,
        ),
        Entry(
            "compact",
            f"{at}:COMPACT",
            "a small denoiser on a processor: 5,000 steps of 64 squares",
            roles=("denoiser",),
        ),
    ]

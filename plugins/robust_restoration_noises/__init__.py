"""Built-in plugin: noise models."""

from __future__ import annotations

from robust_restoration import Entry, hookimpl

OBSATK = "arXiv:2201.04397"
REPORT = "Noise2Noise and DAG, a report"


@hookimpl
def noises() -> list[Entry]:
    """The noise models; the core brings Gaussian noise itself, which is named here as well."""
    at = "robust_restoration_noises"
    return [
        Entry(
            "gaussian",
            "robust_restoration.degradations.gaussian:Gaussian",
            "white Gaussian noise of one level, or of a range",
        ),
        Entry("impulse", f"{at}.impulse:Impulse", "Gaussian noise at some values", REPORT),
        Entry(
            "mixed_levels",
            f"{at}.mixed_levels:MixedLevels",
            "white Gaussian noise of one of several levels",
        ),
        Entry("poisson", f"{at}.poisson:Poisson", "shot noise of so many photons", REPORT),
        Entry(
            "replacement_gaussian",
            f"{at}.replacement_gaussian:ReplacementGaussian",
            "some pixels become Gaussian",
            REPORT,
        ),
        Entry(
            "salt_and_pepper",
            f"{at}.salt_and_pepper:SaltAndPepper",
            "some pixels become 0 or 1",
            REPORT,
        ),
        Entry("uniform", f"{at}.uniform:Uniform", "white uniform noise", OBSATK),
    ]

"""Built-in plugin: AdvFilter, pixel-wise filtering in front of a classifier."""

from __future__ import annotations

from robust_restoration import Entry, hookimpl

PAPER = "AdvFilter, ACM MM 2021"


@hookimpl(specname="purifiers")  # a submodule of that name would take the hook's place
def offered_purifiers() -> list[Entry]:
    """The four purifiers of the paper."""
    at = "robust_restoration_advfilter.purifiers"
    return [
        Entry("additive", f"{at}:Additive", "adds a predicted correction (HGD)", PAPER),
        Entry("filtering", f"{at}:Filtering", "filters each pixel by a predicted kernel", PAPER),
        Entry("multi_head", f"{at}:MultiHead", "filtering, one head a range of strengths", PAPER),
        Entry(
            "advfilter",
            f"{at}:AdvFilter",
            "two filterings, fused; against attackers who do not know of it",
            PAPER,
            roles=("classifier",),
        ),
    ]


@hookimpl
def defenses() -> list[Entry]:
    """The training of all four."""
    return [
        Entry(
            "advfilter",
            "robust_restoration_advfilter.training:AdvFilterTraining",
            "trains a purifier on attacked images of a classifier, in two stages",
            PAPER,
            roles=("purifier",),
        )
    ]


@hookimpl(specname="recipes")  # a submodule of that name would take the hook's place
def offered_recipes() -> list[Entry]:
    """How it trains where no recipe is named."""
    return [
        Entry(
            "advfilter",
            "robust_restoration_advfilter.recipes:SHORT",
            "2,000 steps of 16 images",
            roles=("advfilter",),
        )
    ]


@hookimpl
def verbs() -> list[Entry]:
    """What ``rr.fit_purifier`` is."""
    return [
        Entry(
            "advfilter",
            "robust_restoration_advfilter.fitting:fit_purifier",
            "fits a purifier to one classifier within minutes, and says what that gains",
            PAPER,
            roles=("fit_purifier",),
        )
    ]

"""Built-in plugin: how results are looked at: plots, remarks, signs of masked gradients."""

from __future__ import annotations

from robust_restoration import Entry, hookimpl

AT = "robust_restoration_scrutiny"


@hookimpl
def verbs() -> list[Entry]:
    """The tables and the plot of a result, and the plot of a training."""
    summary = "curves over strengths, a heat map of transfer, or conditions with a dot an image"
    return [
        Entry("matplotlib_figure", f"{AT}.plot:plot", summary, roles=("plot",)),
        Entry("tables", f"{AT}.tables:tables", "by strength or by condition", roles=("tables",)),
        Entry("latex_table", f"{AT}.latex:latex", "for the package booktabs", roles=("latex",)),
        Entry(
            "training_curves", f"{AT}.training_curves:curves", "of a run", roles=("curves",)
        ),
    ]


@hookimpl
def remarks() -> list[Entry]:
    """What a careful reader would remark on a result."""
    summary = "controls as strong as the attack, attacks without gradients that beat those with"
    return [Entry("careful_reader", f"{AT}.careful_reader:remarks_on", summary)]


@hookimpl
def checks() -> list[Entry]:
    """Signs that an attack failed for want of gradients."""
    summary = "gradients of 0, fruitless steps, random search that beats the attack"
    return [
        Entry("masked_gradients", f"{AT}.masked_gradients:signs", summary, "arXiv:1802.00420")
    ]

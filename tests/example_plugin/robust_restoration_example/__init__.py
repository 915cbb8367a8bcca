"""A third party's plugin: what it offers, as data."""

from robust_restoration import Entry, hookimpl


@hookimpl
def denoisers():
    """One denoiser."""
    return [
        Entry(
            "shrink",
            "robust_restoration_example.shrink:Shrink",
            summary="soft-thresholds the differences between neighbours",
            paper="Donoho and Johnstone, 1994",
        )
    ]


@hookimpl
def attacks():
    """One attack."""
    return [
        Entry(
            "one_step",
            "robust_restoration_example.one_step:OneStep",
            summary="L2, one gradient step on the squared error of a denoiser",
        )
    ]


@hookimpl
def purifiers():
    """One purifier."""
    return [
        Entry(
            "dither",
            "robust_restoration_example.dither:Dither",
            summary="adds uniform noise, then rounds to few levels",
        )
    ]

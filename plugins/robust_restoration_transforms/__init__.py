"""Built-in plugin: purifiers that are image transforms, and any denoiser as a purifier."""

from __future__ import annotations

from robust_restoration import Entry, hookimpl


@hookimpl
def purifiers() -> list[Entry]:
    """The transforms."""
    at = "robust_restoration_transforms"
    return [
        Entry("jpeg", f"{at}.jpeg:Jpeg", "JPEG compression", "arXiv:1705.02900"),
        Entry("median", f"{at}.median:Median", "median filter", "arXiv:1704.01155"),
        Entry("gaussian_blur", f"{at}.gaussian_blur:GaussianBlur", "Gaussian blur"),
        Entry("bit_depth", f"{at}.bit_depth:BitDepth", "fewer bits a value", "arXiv:1704.01155"),
        Entry(
            "total_variation",
            f"{at}.total_variation:TotalVariation",
            "total variation minimisation",
            "arXiv:1711.00117",
        ),
        Entry("denoiser:", f"{at}.denoiser:DenoiserPurifier", "any denoiser: denoiser:NAME"),
    ]

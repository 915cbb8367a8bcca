"""Built-in plugin: denoisers."""

from __future__ import annotations

from robust_restoration import Entry, hookimpl

DNCNN = "arXiv:1608.03981"
OBSATK = "arXiv:2201.04397"
FFDNET = "arXiv:1710.04026"
ADNET = "doi:10.1016/j.neunet.2019.12.024"
RDDCNN = "doi:10.1049/cit2.12110"
DEAMNET = "CVPR 2021, pages 8596-8606"
BRDNET = "doi:10.1016/j.neunet.2019.08.022"
TESTS = "tiny, for fast tests"


@hookimpl
def verbs() -> list[Entry]:
    """What ``rr.Tiled`` is."""
    target = "robust_restoration_denoisers.tiling:Tiled"
    return [Entry("tiled", target, "any denoiser, on large images in tiles", roles=("Tiled",))]


@hookimpl
def denoisers() -> list[Entry]:
    """The architectures; the ``*_test`` ones are tiny, as timm's are."""
    at = "robust_restoration_denoisers"
    return [
        Entry("dncnn", f"{at}.dncnn:DnCNN", "17 layers, for one noise level", DNCNN),
        Entry(
            "dncnn_b",
            f"{at}.dncnn:dncnn_b",
            "20 layers without biases, blind, gray",
            OBSATK,
            roles=("image",),
            default_weights="nt",
        ),
        Entry(
            "dncnn_c",
            f"{at}.dncnn:dncnn_c",
            "20 layers without biases, blind, colour",
            OBSATK,
            default_weights="nt",
        ),
        Entry("dncnn_test", f"{at}.dncnn:dncnn_test", TESTS),
        Entry("ffdnet", f"{at}.ffdnet:FFDNet", "told the noise level; half resolution", FFDNET),
        Entry("ffdnet_test", f"{at}.ffdnet:ffdnet_test", TESTS),
        Entry("n2n_unet", f"{at}.n2n_unet:N2NUNet", "Noise2Noise's U-Net", "arXiv:1803.04189"),
        Entry("ecndnet", f"{at}.ecndnet:ECNDNet", "dilated convolutions", "arXiv:1810.11834"),
        Entry("adnet", f"{at}.adnet:ADNet", "the noise weighed by attention", ADNET),
        Entry("rddcnn", f"{at}.rddcnn:RDDCNN", "a deformable convolution first", RDDCNN),
        Entry("deamnet", f"{at}.deamnet:DeamNet", "unfolded, with attention; no weights", DEAMNET),
        Entry(
            "ridnet",
            f"{at}.ridnet:RIDNet",
            "blind, for real noise, with attention; no weights",
            "arXiv:1904.07396",
        ),
        Entry("brdnet", f"{at}.brdnet:BRDNet", "two networks in one; no weights", BRDNET),
        Entry("fan", f"{at}.fan:FAN", "blind, on wavelets, colour; no weights", "ACCV 2020"),
        Entry(
            "curvpnp",
            f"{at}.curvpnp:CurvPnP",
            "blind, sees the curvature; no weights",
            "Li and Duan, 2022",
        ),
        Entry(
            "ctnet",
            f"{at}.ctnet:CTNet",
            "transformers on squares of 48x48, slow; no weights",
            "arXiv:2310.10408",
        ),
        Entry(
            "dgunet",
            f"{at}.dgunet:DGUNet",
            "blind, unfolded gradient steps; no weights",
            "arXiv:2204.13348",
        ),
        Entry("rddcnn_b", f"{at}.rddcnn:rddcnn_b", "the same, blind", RDDCNN),
        Entry(
            "bm3d",
            f"{at}.bm3d:BM3D",
            "block matching and 3-D filtering; no gradients",
            "doi:10.1109/TIP.2007.901238",
            requires="bm3d",
            install="pip install robust_restoration[bm3d]",
        ),
        Entry(
            "total_variation",
            f"{at}.total_variation:TotalVariation",
            "told the noise level; no gradients",
            "doi:10.1016/0167-2789(92)90242-F",
        ),
        Entry(
            "perona_malik",
            f"{at}.perona_malik:PeronaMalik",
            "anisotropic diffusion, told the noise level",
            "doi:10.1109/34.56205",
        ),
        Entry(
            "deep_image_prior",
            f"{at}.deep_image_prior:DeepImagePrior",
            "fitted to each image, stopped early; no gradients",
            "arXiv:1711.10925",
        ),
        Entry(
            "noise2self",
            f"{at}.noise2self:Noise2Self",
            "trained on each image; no gradients",
            "arXiv:1901.11365",
        ),
        Entry(
            "dpir:",
            f"{at}.plug_and_play:PlugAndPlay",
            "plug and play around a denoiser that is told the level, such as dpir:ffdnet",
            "arXiv:2008.13751",
        ),
        Entry(
            "spandrel:",
            f"{at}.spandrel_bridge:Spandrel",
            "a file of weights of about 40 networks, such as spandrel:swinir.pth",
            requires="spandrel",
            install="pip install robust_restoration[spandrel]",
        ),
        Entry(
            "deepinv:",
            f"{at}.deepinv_bridge:DeepInv",
            "deepinv's denoisers by name, such as deepinv:drunet",
            requires="deepinv",
            install="pip install robust_restoration[deepinv]",
        ),
    ]

"""The named data sets: what they are, under which terms, and where they are obtained.

A table, in which entries of the plugin find a set by its name as an attribute. No torch here:
listing the sets is quick.
"""

from __future__ import annotations

from .sets import NamedSet

# The 68 images of BSDS500's val folder that make up CBSD68; CBSD432 is all the others.
CBSD68_FILES = frozenset(
    """
    101085 101087 102061 103070 105025 106024 108005 108070 108082 109053 119082 12084 123074
    126007 130026 134035 14037 143090 145086 147091 148026 148089 157055 159008 160068 16077
    163085 167062 167083 170057 175032 175043 182053 189080 19021 196073 197017 208001 210088
    21077 216081 219090 220075 223061 227092 229036 236037 24077 241004 241048 253027 253055
    260058 271035 285079 291000 295087 296007 296059 299086 300091 302008 304034 304074 306005
    3096 33039 351093
    """.split()
)

BERKELEY = "non-commercial research, education"
UNSTATED = "no licence stated"

NAMED: tuple[NamedSet, ...] = (
    NamedSet(
        name="set12",
        summary="12 gray test images",
        kind="restoration",
        folders=("Set12",),
        channels=1,
        count=12,
        terms=UNSTATED,
        source="https://github.com/cszn/DnCNN/tree/master/testsets/Set12",
    ),
    NamedSet(
        name="set68",
        summary="68 gray test images of the Berkeley set",
        kind="restoration",
        folders=("Set68", "BSD68"),
        channels=1,
        count=68,
        terms=BERKELEY,
        source="https://github.com/cszn/DnCNN/tree/master/testsets/BSD68",
        aliases=("bsd68",),
    ),
    NamedSet(
        name="cbsd68",
        summary="68 colour test images of the Berkeley set",
        kind="restoration",
        folders=("CBSD68/original_png", "CBSD68-dataset/CBSD68/original_png", "CBSD68"),
        channels=3,
        count=68,
        terms=BERKELEY,
        source="https://github.com/clausmichele/CBSD68-dataset",
    ),
    NamedSet(
        name="kodak24",
        summary="24 colour test images",
        kind="restoration",
        folders=("Kodak24", "Kodak"),
        channels=3,
        count=24,
        terms="released for unrestricted use",
        source="https://r0k.us/graphics/kodak/",
        aliases=("kodak",),
    ),
    NamedSet(
        name="set3c",
        summary="3 colour test images: butterfly, leaves, starfish",
        kind="restoration",
        folders=("Set3c",),
        channels=3,
        count=3,
        terms=UNSTATED,
        source="https://github.com/cszn/DPIR/tree/master/testsets/set3c",
    ),
    NamedSet(
        name="train400",
        summary="400 gray training images of 180x180",
        kind="restoration",
        folders=("Train400", "data/Train400"),
        channels=1,
        count=400,
        terms=BERKELEY,
        source="https://github.com/cszn/DnCNN (TrainingCodes/.../data/Train400)",
    ),
    NamedSet(
        name="cbsd432",
        summary="432 colour training images: BSDS500 without CBSD68",
        kind="restoration",
        folders=("CBSD432", "CBSD500", "BSD500", "BSR/BSDS500/data/images", "BSDS500/data/images"),
        channels=3,
        count=432,
        terms=BERKELEY,
        source="https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/resources.html",
        aliases=("bsd432", "bsd500"),
        without=CBSD68_FILES,
    ),
    NamedSet(
        name="cc",
        summary="15 pairs of real camera noise (Nam et al., CVPR 2016)",
        kind="real-noise",
        folders=("CC15", "CC", "Real_ccnoise_denoised_part"),
        channels=3,
        count=15,
        terms=UNSTATED,
        source="https://github.com/csjunxu/MCWNNM-ICCV2017/tree/master/Real_ccnoise_denoised_part",
        aliases=("cc15",),
        clean="*_mean.png",
        noisy="*_real.png",
    ),
    NamedSet(
        name="polyu",
        summary="100 pairs of real camera noise (Xu et al., arXiv:1804.02603)",
        kind="real-noise",
        folders=(
            "PolyU/CroppedImages",
            "PolyU-Real-World-Noisy-Images-Dataset/CroppedImages",
            "PolyU-Real-World-Noisy-Images-Dataset-master/CroppedImages",
            "CroppedImages",
            "PolyU",
        ),
        channels=3,
        count=100,
        terms=UNSTATED,
        source="https://github.com/csjunxu/PolyU-Real-World-Noisy-Images-Dataset",
        clean="*_mean.JPG",
        noisy="*_Real.JPG",
    ),
    NamedSet(
        name="sidd",
        summary="1280 validation blocks of real smartphone noise (Abdelhamed et al., CVPR 2018)",
        kind="real-noise",
        folders=("SIDD", "SIDD_Validation", "SIDD/validation", "SIDD/val", "."),
        channels=3,
        count=1280,
        terms="as its site states",
        source="https://www.eecs.yorku.ca/~kamel/sidd/benchmark.php",
        clean="ValidationGtBlocksSrgb.mat",
        noisy="ValidationNoisyBlocksSrgb.mat",
    ),
    NamedSet(
        name="cifar10",
        summary="32x32 colour images of 10 classes",
        kind="labelled",
        folders=(
            "cifar-10-batches-bin",
            "cifar10/cifar-10-batches-bin",
            "cifar10",
            "cifar10_subset",
            "cifar-10-batches-py",
            "cifar10/cifar-10-batches-py",
        ),
        channels=3,
        count=0,
        terms=UNSTATED,
        source="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        splits=(("train", 50000), ("test", 10000)),
        formats=("cifar", "npz"),
    ),
    NamedSet(
        name="svhn",
        summary="32x32 colour house-number digits of 10 classes",
        kind="labelled",
        folders=("SVHN", "."),
        channels=3,
        count=0,
        terms="non-commercial use",
        source="http://ufldl.stanford.edu/housenumbers/",
        splits=(("train", 73257), ("test", 26032), ("extra", 531131)),
        formats=("svhn",),
    ),
    NamedSet(
        name="mnist",
        summary="28x28 gray digits of 10 classes",
        kind="labelled",
        folders=("MNIST/raw", "MNIST", "mnist_subset"),
        channels=1,
        count=0,
        terms="CC BY-SA 3.0",
        source="https://github.com/cvdfoundation/mnist",
        splits=(("train", 60000), ("test", 10000)),
        formats=("idx", "npz"),
    ),
    NamedSet(
        name="neurips2017_dev",
        summary="299x299 colour images with ImageNet classes, of a competition on attacks",
        kind="labelled",
        folders=(
            "neurips2017_dev",
            "nips-2017-adversarial-learning-development-set",
            "nips17_adversarial_competition/dataset",
            "neurips2017_dev_110",
        ),
        channels=3,
        count=1000,
        tables=("images.csv", "dev_dataset.csv"),
        terms="CC BY, by image",
        source="https://www.kaggle.com/datasets/google-brain/"
        "nips-2017-adversarial-learning-development-set",
        aliases=("nips2017_dev",),
    ),
)


def __getattr__(name: str) -> NamedSet:
    """A set of the table, by its name."""
    for named in NAMED:
        if named.name == name:
            return named
    raise AttributeError(f"there is no set {name!r}")

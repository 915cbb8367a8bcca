"""Attack, robustify, measure and purify: adversarial robustness for image restoration.

The names below load what they need when they are first used: importing the package, listing
plugins and printing help load no torch.
"""

import lazy_loader as _lazy

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submodules=["testing"],
    submod_attrs={
        "classifiers": ["load_classifier", "NormalizedClassifier"],
        "contracts": ["Attack", "Batch", "Defense", "Denoiser", "Purifier", "Stage", "TrainingSet"],
        "errors": [
            "DataError",
            "InputError",
            "PluginError",
            "RobustRestorationError",
            "TrainingError",
            "UnknownNameError",
            "WeightsError",
        ],
        "datasets": ["LabelledImages", "RestorationImages", "load_images", "load_labelled"],
        "evaluation": [
            "DenoisingResult",
            "PurificationResult",
            "SimilitudeResult",
            "TransferResult",
            "evaluate",
            "evaluate_purifiers",
            "similitude",
            "transfer",
        ],
        "factory": [
            "create_attack",
            "create_defense",
            "create_denoiser",
            "create_purifier",
            "list_attacks",
            "list_defenses",
            "list_denoisers",
            "list_purifiers",
        ],
        "hookspecs": ["Entry", "hookimpl"],
        "images": ["read_image", "write_image"],
        "metrics": ["accuracy", "mae", "psnr", "ssim"],
        "noise": [
            "Gaussian",
            "Impulse",
            "MixedLevels",
            "Noise",
            "Poisson",
            "ReplacementGaussian",
            "SaltAndPepper",
            "Uniform",
        ],
        "noise_names": ["create_noise", "list_noises", "parse_noise"],
        "purify": ["PurifiedClassifier", "purify"],
        "registry": ["discover", "registry"],
        "restore": ["restore"],
        "tiling": ["Tiled"],
        "training": ["train"],
        "weights": ["load_weights", "save_weights"],
    },
)

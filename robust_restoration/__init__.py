"""Attack, robustify, measure and purify: adversarial robustness for image restoration.

The names below load what they need when they are first used: importing the package, listing
plugins and printing help load no torch.
"""

import lazy_loader as _lazy

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "contracts": [
            "Attack",
            "Batch",
            "Defense",
            "Degradation",
            "Denoiser",
            "Purifier",
            "Stage",
            "Step",
            "TrainingSet",
        ],
        "data": ["LabelledImages", "RestorationImages", "load_images", "load_labelled"],
        "degradations.gaussian": ["Gaussian"],
        "degradations.names": ["create_noise", "list_noises", "parse_noise"],
        "errors": [
            "DataError",
            "InputError",
            "PluginError",
            "RobustRestorationError",
            "TrainingError",
            "UnknownNameError",
            "WeightsError",
        ],
        "evaluation": ["Result", "Threat", "evaluate"],
        "images.files": ["read_image", "write_image"],
        "images.metrics": ["accuracy", "mae", "psnr", "ssim"],
        "models.classifiers": ["NormalizedClassifier"],
        "models.create": [
            "create_attack",
            "create_defense",
            "create_denoiser",
            "create_purifier",
            "list_attacks",
            "list_defenses",
            "list_denoisers",
            "list_purifiers",
        ],
        "models.chain": ["Chain"],
        "models.purify": ["PurifiedClassifier", "purify"],
        "models.restore": ["restore"],
        "models.weights": ["load_weights", "save_weights"],
        "plugins.discovery": ["discover"],
        "plugins.hooks": ["Entry", "hookimpl"],
        "plugins.registry": ["registry"],
        "training": ["train"],
        "verbs": [
            "Tiled",
            "certify",
            "create_certifier",
            "explain",
            "fit_purifier",
            "load_classifier",
        ],
    },
)

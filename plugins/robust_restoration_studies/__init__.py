"""Built-in plugin: what papers do with attacks, to be imported and called, and as commands.

``from robust_restoration_studies import transfer, similitude, typical_set_theory``: the names load
what they need when they are first used.
"""

from __future__ import annotations

import lazy_loader as _lazy

from robust_restoration import Entry, hookimpl

# Without the lazy __dir__: pluggy reads whatever it lists, and would load all of it.
__getattr__, _, __all__ = _lazy.attach(
    __name__,
    submodules=["typical_set_theory"],
    submod_attrs={
        "attack_and_resubmit": ["attack_and_resubmit"],
        "clean_attack": ["clean_attack"],
        "local_worst_case": ["lipschitz", "local_worst_case", "sensitivity_map"],
        "log_density": ["log_densities"],
        "minimal_perturbation": ["minimal_perturbation"],
        "neighbourhood": ["adversarial_space", "patch_attack"],
        "noise_histogram": ["noise_histogram"],
        "patches": ["patch_attacks"],
        "radars": ["circle_samples", "polygon_iou", "radar"],
        "radius": ["radius_sweep"],
        "resubmission": ["Resubmission", "resubmission"],
        "robustness_similitude": ["SimilitudeResult", "similitude"],
        "space": ["explore_space"],
        "transferability": ["TransferResult", "transfer"],
        "write_attacked_set": ["write_attacked_set"],
    },
)


@hookimpl
def commands() -> list[Entry]:
    """A command for each study."""
    verbs = "robust_restoration_studies.verbs"
    return [
        Entry(
            "transfer",
            f"{verbs}.transfer:transfer",
            "attacks made on one denoiser, given to others",
        ),
        Entry(
            "similitude",
            f"{verbs}.similitude:similitude",
            "how alike the directions are that hurt denoisers",
        ),
        Entry(
            "attacked-set",
            f"{verbs}.attacked_set:attacked_set",
            "a fixed set of attacked images, made on one denoiser",
        ),
        Entry(
            "adversarial-space",
            f"{verbs}.adversarial_space:adversarial_space",
            "a line, a disc and two spheres about a noisy image",
        ),
        Entry("patch", f"{verbs}.patch:patch", "attacks kept to a patch, made in both ways"),
        Entry("radius", f"{verbs}.radius:radius", "ever further from a noisy image"),
        Entry(
            "minimal-perturbation",
            f"{verbs}.minimal_perturbation:minimal_perturbation",
            "the least eps that does some given harm",
        ),
        Entry(
            "clean-attack", f"{verbs}.clean_attack:clean_attack", "attacks on clean images"
        ),
        Entry(
            "noise-histogram",
            f"{verbs}.noise_histogram:noise_histogram",
            "attacked noise beside Gaussian noise",
        ),
        Entry(
            "log-density",
            f"{verbs}.log_density:log_density",
            "how likely attacked noise is",
        ),
        Entry(
            "local-worst-case",
            f"{verbs}.local_worst_case:local_worst_case",
            "Lipschitz constants and sensitivity, beside quality",
        ),
        Entry(
            "resubmission",
            f"{verbs}.resubmission:resubmission",
            "a random defence, asked again and again",
        ),
    ]


@hookimpl
def datasets() -> list[Entry]:
    """Sets of attacked images: any folder of them, and those that the papers name."""
    at = "robust_restoration_studies.attacked_sets"
    return [
        Entry("attacked-set:", f"{at}:attacked", "attacked images, as attacked-set writes them"),
        Entry(
            "set12-adv-l2",
            f"{at}:set12_adv_l2",
            "Set12 attacked once on a DnCNN, L2",
            "arXiv:2412.05943",
        ),
        Entry(
            "set12-adv-linf",
            f"{at}:set12_adv_linf",
            "Set12 attacked once on a DnCNN, L-inf",
            "arXiv:2412.05943",
        ),
    ]

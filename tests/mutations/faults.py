"""The deliberate faults: what is broken, and the tests of which at least one must notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One deliberate fault.

    Attributes:
        why: What is wrong with it.
        file: Where it is made, relative to the repository.
        old: The text that is replaced; it stands there exactly once.
        new: The text in its place.
        tests: pytest's names of tests, of which at least one must fail.
    """

    why: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


ATTACKS = "plugins/robust_restoration_attacks"
STUDIES = "plugins/robust_restoration_studies"
CORE = "robust_restoration"

ATTACK_BASE = "tests/attacks/test_attack_base.py"
DENOISER_ATTACKS = "tests/attacks/test_denoiser_attacks.py"
BRIDGE = "tests/attacks/test_torchattacks_bridge.py"
ENSEMBLE = "tests/attacks/test_classifier_ensemble.py"
PROJECTIONS = "tests/attacks/test_projections.py"
METRICS = "tests/core/test_metrics.py"
TILING = "tests/denoisers/test_tiling.py"
IMAGES = "tests/core/test_images.py"
FILES = "tests/core/test_files.py"
DENOISERS = "tests/evaluation/test_restorers.py"
CLASSIFIERS = "tests/evaluation/test_classifiers.py"
RESULT = "tests/evaluation/test_result.py"
RESUME = "tests/evaluation/test_resume.py"
LOOP = "tests/core/test_training_loop.py"
FORMAT = "tests/core/test_memory_format.py"
HOSTILE = "tests/robustness/test_hostile_weights.py"
WEIGHTS = "tests/core/test_weights.py"
REGISTRY = "tests/core/test_registry.py"
COMBINED = "tests/core/test_chain.py"
NOISES = "tests/noises/test_noises.py"
NUMBERS = "tests/core/test_numbers.py"
THEORY = "tests/studies/test_typical_set_theory.py"
PAIRS = "tests/advfilter/test_pairs.py"
TRANSFER = "tests/studies/test_transfer_and_similitude.py"

FAULTS = [
    # -- attacks ------------------------------------------------------------------------------
    Fault(
        "the projection forgets the zero mean",
        f"{ATTACKS}/projections.py",
        "    if zero_mean:\n        mean = mean",
        "    if False:\n        mean = mean",
        (f"{PROJECTIONS}::test_without_a_box_mean_then_ball",),
    ),
    Fault(
        "the projection forgets the ball",
        f"{ATTACKS}/projections.py",
        "found[at] = ((wide - mean) * scale)",
        "found[at] = (wide - mean)",
        (f"{PROJECTIONS}::test_without_a_box_mean_then_ball",),
    ),
    Fault(
        "the norm is taken over the batch",
        f"{ATTACKS}/projections.py",
        "norms = [_length(wide - mean)",
        "norms = [torch.linalg.vector_norm(wide - mean)[None, None]",
        (f"{PROJECTIONS}::test_without_a_box_mean_then_ball",),
    ),
    Fault(
        "pixels outside the range may move further out",
        f"{ATTACKS}/projections.py",
        "return (bounds[0] - images).clamp(max=0), (bounds[1] - images).clamp(min=0)",
        "return bounds[0] - images.clamp(0, 1), 1 - images.clamp(0, 1) + (images > 1)",
        (f"{PROJECTIONS}::test_room_lets_nothing_further_out",),
    ),
    Fault(
        "no attack is brought back into its budget",
        f"{CORE}/contracts/attack.py",
        "attacked = self.limit(attacked.to(exact), exact)",
        "attacked = attacked.to(exact)",
        (
            f"{ATTACK_BASE}::test_every_norm_is_kept_and_used_up",
            f"{BRIDGE}::test_the_base_clips_whatever_the_original_returns",
        ),
    ),
    Fault(
        "half precision is rounded to the nearest",
        f"{CORE}/contracts/attack.py",
        "attacked = rounded(attacked, images)",
        "attacked = attacked.to(images.dtype)",
        (f"{ATTACK_BASE}::test_every_norm_is_kept_and_used_up",),
    ),
    Fault(
        "attacks fail under inference_mode",
        f"{CORE}/contracts/attack.py",
        "with torch.inference_mode(False), ExitStack() as stack:",
        "with ExitStack() as stack:",
        (f"{ATTACK_BASE}::test_under_inference_mode",),
    ),
    Fault(
        "draws of a whole batch are taken for an image's own",
        f"{CORE}/contracts/attack.py",
        "                if before.unchanged():\n                    return attacked",
        "                return attacked",
        (f"{ATTACK_BASE}::test_what_draws_otherwise_runs_image_by_image",),
    ),
    Fault(
        "an image of eps 0 is changed",
        f"{CORE}/contracts/attack.py",
        "attacked = torch.where(still, exact, attacked)",
        "pass",
        (f"{DENOISER_ATTACKS}::test_eps_of_an_image_may_be_0",),
    ),
    Fault(
        "an empty batch is attacked",
        f"{CORE}/images/checks.py",
        "    if 0 in images.shape:",
        "    if False:",
        (f"{ATTACK_BASE}::test_bad_inputs",),
    ),
    Fault(
        "eps of 8 is taken as it is",
        f"{CORE}/contracts/attack.py",
        "        check_eps(self.eps, self.norm)\n",
        "",
        (f"{ATTACK_BASE}::test_budgets_that_make_no_sense",),
    ),
    Fault(
        "the first thread out thaws a model",
        f"{CORE}/contracts/freezing.py",
        "if not held[2]:",
        "if True:",
        (f"{ATTACK_BASE}::test_the_last_one_out_restores",),
    ),
    Fault(
        "gradients keep the layout of a model in channels_last",
        f"{CORE}/contracts/freezing.py",
        "value.register_hook(Tensor.contiguous)",
        "pass",
        (f"{BRIDGE}::test_a_model_in_channels_last",),
    ),
    Fault(
        "an attack draws the very noise of the image",
        f"{CORE}/contracts/randomness.py",
        "default_rng([seed, number, ATTACK])",
        "default_rng([seed, number])",
        (f"{DENOISER_ATTACKS}::test_seeds_of_attacks_are_not_those_of_the_noise",),
    ),
    Fault(
        "every image draws the same numbers",
        f"{CORE}/contracts/randomness.py",
        "default_rng([seed, number, ATTACK])",
        "default_rng([seed, ATTACK])",
        (
            f"{ATTACK_BASE}::test_what_draws_otherwise_runs_image_by_image",
            f"{DENOISER_ATTACKS}::test_an_image_is_attacked_alike_in_any_batch_and_at_any_time",
        ),
    ),
    Fault(
        "the global states stay as an attack left them",
        f"{CORE}/contracts/randomness.py",
        "            before.restore()\n\n\nclass",
        "            pass\n\n\nclass",
        (f"{ATTACK_BASE}::test_global_states_come_back_when_an_attack_raises",),
    ),
    Fault(
        "the bridge declares no norm",
        f"{ATTACKS}/torchattacks_bridge.py",
        '"norm": None if facts.norm == "option" else facts.norm',
        '"norm": None',
        (f"{BRIDGE}::test_norm_and_budget_are_declared",),
    ),
    Fault(
        "early stops of a batch reach every image",
        f"{ATTACKS}/torchattacks_bridge.py",
        '            "rowwise": bool(facts.rowwise),\n',
        "",
        (f"{BRIDGE}::test_an_image_is_attacked_alike_in_any_batch_and_at_any_time",),
    ),
    Fault(
        "a surrogate is not frozen",
        f"{ATTACKS}/denoiser_attack.py",
        "return [self.model] if self.surrogate is None else [self.model, self.surrogate]",
        "return [self.model]",
        (f"{DENOISER_ATTACKS}::test_a_surrogate_is_frozen_too",),
    ),
    Fault(
        "NaN is attacked",
        f"{ATTACKS}/denoiser_attack.py",
        "if not bool(torch.isfinite(images).all()):",
        "if False:",
        (f"{DENOISER_ATTACKS}::test_nan_is_refused",),
    ),
    Fault(
        "ObsAtk leaves its budget to others",
        f"{ATTACKS}/obsatk.py",
        "return self.add(inputs, self.within(attacked - inputs, inputs))",
        "return attacked",
        (f"{DENOISER_ATTACKS}::test_the_base_clips_whatever_forward_returns",),
    ),
    Fault(
        "The ensemble keeps its last member",
        f"{ATTACKS}/restoration_ensemble.py",
        "better = (value > highest)",
        "better = (value > -1)",
        ("tests/attacks/test_restoration_ensemble.py::test_never_weaker_than_a_member",),
    ),
    Fault(
        "white-box is PGD alone",
        f"{CORE}/evaluation/threats.py",
        '"white-box": (WHOLE, "ensemble")',
        '"white-box": (WHOLE, "classifier")',
        (f"{ENSEMBLE}::test_as_a_threat_it_goes_through_the_purifier",),
    ),
    Fault(
        "The next restart draws for the first images of the batch",
        f"{CORE}/contracts/randomness.py",
        "lambda draws: [draws[row] for row in rows.tolist()]",
        "lambda draws: draws[: len(rows)]",
        (f"{BRIDGE}::test_attacks_that_drop_fooled_images_run_a_batch_as_they_run_its_images",),
    ),
    Fault(
        "Square draws its squares from the global generator",
        f"{ATTACKS}/torchattacks_rows.py",
        "        with alike():\n            return self.original.random_int(",
        "        if True:\n            return self.original.random_int(",
        (f"{BRIDGE}::test_attacks_that_drop_fooled_images_run_a_batch_as_they_run_its_images",),
    ),
    Fault(
        "A sensitivity map is of one probe",
        "plugins/robust_restoration_studies/local_worst_case.py",
        "total += found.square()",
        "total = probes * found.square()",
        ("tests/studies/test_local_worst_case.py::test_the_map_is_the_norms_of_columns",),
    ),
    Fault(
        "Validation is not clipped as training is",
        "plugins/robust_restoration_defenses/denoising.py",
        "data.corrupted(self.observe)",
        "data.corrupted(self.corrupt)",
        (
            "tests/defenses/test_denoising_defenses.py::"
            "test_validation_is_clipped_as_training_is",
        ),
    ),
    Fault(
        "DAG normalises after it masks",
        f"{ATTACKS}/dag.py",
        "along = missed * gradient / lengths(gradient)",
        "along = missed * gradient / lengths(missed * gradient)",
        (f"{DENOISER_ATTACKS}::test_dag_by_hand",),
    ),
    Fault(
        "DAG's perturbation is not clamped",
        f"{ATTACKS}/dag.py",
        "along).clamp(-1, 1)",
        "along)",
        (f"{DENOISER_ATTACKS}::test_dag_s_perturbation_stays_in_range",),
    ),
    Fault(
        "the worst case keeps to nobody's budget",
        f"{ATTACKS}/worst_case.py",
        "        return nearest\n",
        "        return attacked\n",
        (f"{DENOISER_ATTACKS}::test_worst_case_keeps_to_the_budget_of_a_member",),
    ),
    # -- evaluation ---------------------------------------------------------------------------
    Fault(
        "white-box attacks are made on the bare classifier",
        f"{CORE}/evaluation/threats.py",
        '"white-box": (WHOLE, "ensemble")',
        '"white-box": (BARE, "ensemble")',
        (f"{CLASSIFIERS}::test_words_attack_what_they_say",),
    ),
    Fault(
        "black-box attacks are made on the bare classifier",
        f"{CORE}/evaluation/threats.py",
        '"black-box": (WHOLE, "black-box")',
        '"black-box": (BARE, "black-box")',
        (f"{CLASSIFIERS}::test_words_attack_what_they_say",),
    ),
    Fault(
        "attacks through the whole are made on the bare classifier",
        f"{CORE}/evaluation/classification.py",
        "        if threat.through == BARE:\n            return self.bare[subject]",
        "        if threat.through in (BARE, WHOLE):\n            return self.bare[subject]",
        (f"{CLASSIFIERS}::test_attacks_through_the_purifier_are_made_through_it",),
    ),
    Fault(
        "a random purifier is attacked in one draw",
        f"{CORE}/evaluation/whitebox.py",
        "return Expectation(whole, draws) if",
        "return Expectation(whole, 1) if",
        (f"{CLASSIFIERS}::test_a_random_purifier_is_attacked_in_expectation",),
    ),
    Fault(
        "a random purifier draws from the global generator",
        f"{CORE}/evaluation/tasks.py",
        "if not is_random(model):",
        "if model is not None:",
        (f"{CLASSIFIERS}::test_a_random_purifier_s_figures_do_not_depend_on_the_batch",),
    ),
    Fault(
        "what fell at a smaller eps stands again",
        f"{CORE}/evaluation/engine.py",
        'standing &= figures["accuracy"].bool().cpu()\n'
        '            figures["accuracy"] = standing.float()',
        "pass",
        (f"{CLASSIFIERS}::test_fallen_stays_fallen",),
    ),
    Fault(
        "within_level takes another eps off than the attack's own",
        f"{CORE}/evaluation/engine.py",
        "block, attack = task.block(numbers, eps), self.attack(threat, source, eps)",
        "block, attack = task.block(numbers, 3 / 255), self.attack(threat, source, eps)",
        (f"{DENOISERS}::test_within_level_takes_off_the_attack_s_own_eps",),
    ),
    Fault(
        "the precision asked for is not taken",
        f"{CORE}/models/precision.py",
        "return nullcontext() if name is None else",
        "return nullcontext() if images is not None else",
        (f"{DENOISERS}::test_networks_run_in_the_precision_asked_for",),
    ),
    Fault(
        "each process does everything",
        f"{CORE}/processes.py",
        "return list(blocks[self.rank :: self.count])",
        "return list(blocks)",
        (f"{RESUME}::test_two_processes_share_the_work_and_agree_to_the_last_digit",),
    ),
    Fault(
        "a retrained purifier's rows are kept",
        f"{CORE}/evaluation/state.py",
        "r for r in found.records if r.subject not in changed and r.threat not in stale",
        "r for r in found.records",
        (f"{RESUME}::test_a_retrained_purifier_is_computed_anew",),
    ),
    Fault(
        "the success of a transfer counts images on which its source holds",
        "plugins/robust_restoration_studies/transferability.py",
        " and falls[image] > threshold",
        "",
        ("tests/studies/test_transfer_and_similitude.py::test_success_is_eq_3",),
    ),
    Fault(
        "differences are not paired",
        f"{CORE}/evaluation/result/result.py",
        "differences = [pair[0][image] - pair[1][image] for image in shared]",
        "differences = [pair[0][a] - pair[1][b] for a in shared for b in shared]",
        (f"{RESULT}::test_intervals_and_paired_differences",),
    ),
    Fault(
        "the control of the same energy is as long as the perturbation alone",
        f"{CORE}/evaluation/controls.py",
        "(clean, attacked - clean) if name == ENERGY",
        "(clean, attacked - inputs) if name == ENERGY",
        (f"{DENOISERS}::test_energy_control_is_exactly_as_long",),
    ),
    Fault(
        "a gradient of 0 is not noticed",
        "plugins/robust_restoration_scrutiny/masked_gradients.py",
        "flat = int((slope.flatten(1).abs().amax(1) == 0).sum())",
        "flat = 0",
        (f"{DENOISERS}::test_masked_gradients_are_noticed",),
    ),
    Fault(
        "fruitless steps are not noticed",
        "plugins/robust_restoration_scrutiny/masked_gradients.py",
        "if reached > short + 0.02 or (still and reached >= short - 1e-3):",
        "if reached > short + 0.02:",
        (f"{DENOISERS}::test_masked_gradients_are_noticed",),
    ),
    Fault(
        "PSNR is a mean over the batch",
        f"{CORE}/images/metrics.py",
        "error = (restored.float().clamp(0, 1) - clean.float()).square().mean(dim=(1, 2, 3))",
        "error = (restored.float().clamp(0, 1) - clean.float()).square().mean().expand(len(clean))",
        (f"{METRICS}::test_each_image_counts_alone",),
    ),
    Fault(
        "PSNR without the clamp",
        f"{CORE}/images/metrics.py",
        "error = (restored.float().clamp(0, 1) - clean.float())",
        "error = (restored.float() - clean.float())",
        (f"{METRICS}::test_psnr_is_scikit_images_of_the_clamped_image",),
    ),
    Fault(
        "SSIM counts the border",
        f"{CORE}/images/metrics.py",
        "half = window // 2",
        "half = 0",
        (f"{METRICS}::test_ssim_is_scikit_images",),
    ),
    Fault(
        "tiles do not see beyond their core",
        "plugins/robust_restoration_denoisers/tiling.py",
        "first = max(0, start - overlap)",
        "first = start",
        (f"{TILING}::test_same_as_whole",),
    ),
    Fault(
        "a pixel that several tiles see has the gradient of one",
        "plugins/robust_restoration_denoisers/tiling.py",
        "total[outer] += found",
        "total[outer] = found",
        (f"{TILING}::test_gradients_are_those_of_slices_to_the_bit",),
    ),
    Fault(
        "large images are as long as their last piece",
        f"{ATTACKS}/projections.py",
        "norm = norms[0] if len(norms) == 1 else _length(torch.cat(norms, 1))",
        "norm = norms[-1]",
        (f"{PROJECTIONS}::test_pieces_of_an_image_are_projected_as_one",),
    ),
    # -- images and files ---------------------------------------------------------------------
    Fault(
        "NaN passes as an image",
        f"{CORE}/images/checks.py",
        "if not (np.isfinite(low) and np.isfinite(high)):",
        "if False:",
        (f"{IMAGES}::test_bad_images",),
    ),
    Fault(
        "values above 1 pass as an image",
        f"{CORE}/images/checks.py",
        "if low < 0 or high > 1:",
        "if low < 0:",
        (f"{IMAGES}::test_bad_images",),
    ),
    Fault(
        "sixteen bits are read as eight",
        f"{CORE}/images/files.py",
        "65535.0 if whole",
        "255.0 if whole",
        (f"{IMAGES}::test_sixteen_bits_palette_and_transparency",),
    ),
    Fault(
        "values are cut off and not rounded to 8 bits",
        f"{CORE}/images/files.py",
        "(values * 255).round()",
        "(values * 255)",
        (f"{IMAGES}::test_round_trip",),
    ),
    Fault(
        "a failed write leaves its temporary file",
        f"{CORE}/files.py",
        "temporary.unlink(missing_ok=True)",
        "pass",
        (f"{FILES}::test_or_not_at_all",),
    ),
    # -- training -----------------------------------------------------------------------------
    Fault(
        "a step that is made again without channels_last counts batch norm twice",
        f"{CORE}/training/loop.py",
        "buffer.copy_(before)",
        "pass",
        (f"{FORMAT}::test_statistics_of_the_step_that_is_made_again_are_counted_once",),
    ),
    Fault(
        "classifiers are measured on images in channels_last",
        f"{CORE}/evaluation/classification.py",
        "self.data.pixels(rows).to(self.device)",
        "self.data.pixels(rows).to(self.device, memory_format=torch.channels_last)",
        (f"{FORMAT}::test_evaluated_as_one_that_takes_any",),
    ),
    Fault(
        "stages are trained in the opposite order",
        f"{CORE}/training/loop.py",
        "self.stages = defense.stages(model)",
        "self.stages = defense.stages(model)[::-1]",
        (f"{LOOP}::test_a_stage_has_its_own_learning_rate",),
    ),
    Fault(
        "every step draws the same numbers",
        f"{CORE}/training/loop.py",
        "generator = torch.Generator().manual_seed(mix(settings.seed, self.step))",
        "generator = torch.Generator().manual_seed(mix(settings.seed))",
        (f"{LOOP}::test_each_step_draws_its_own_numbers",),
    ),
    Fault(
        "a loss that is not finite is stepped on",
        f"{CORE}/training/loop.py",
        "        if not math.isfinite(value):\n            kept",
        "        if False:\n            kept",
        (f"{LOOP}::test_a_loss_that_is_not_finite_stops_the_run",),
    ),
    Fault(
        "a checkpoint of other data is gone on from",
        f"{CORE}/training/run_folder.py",
        "if key in before and before[key] != now.get(key):",
        "if False:",
        (f"{LOOP}::test_replaced_data_are_noticed",),
    ),
    Fault(
        "a run goes on with other settings",
        f"{CORE}/training/run_folder.py",
        "changed = [k for k in now if now[k] != before.get(k, UNKNOWN) and k not in FREE]",
        "changed = []",
        (f"{LOOP}::test_other_settings_are_refused_by_name",),
    ),
    # -- weights and purifiers ----------------------------------------------------------------
    Fault(
        "NaN in weights is accepted",
        f"{CORE}/models/weights.py",
        "if not bool(torch.isfinite(tensor.to(expected.dtype)).all()):",
        "if False:",
        (f"{HOSTILE}::test_values_that_are_not_finite_are_refused",),
    ),
    Fault(
        "missing tensors are not named",
        f"{CORE}/models/weights.py",
        "    if missing:",
        "    if False:",
        (f"{WEIGHTS}::test_another_architecture_changes_nothing",),
    ),
    Fault(
        "a pickle is called a damaged file",
        f"{CORE}/models/weights.py",
        'if head[:2] in (b"PK",',
        'if head[:2] in (b"no",',
        (f"{WEIGHTS}::test_pickles_are_refused_unopened",),
    ),
    Fault(
        "a chain's members go in the opposite order",
        f"{CORE}/models/chain.py",
        "        for member in self.members:\n            follows",
        "        for member in reversed(self.members):\n            follows",
        (f"{COMBINED}::test_a_chain_is_one_after_the_other",),
    ),
    Fault(
        "a chain is random only if all of it is",
        f"{CORE}/models/chain.py",
        'self.random = any(getattr(p, "random", False)',
        'self.random = all(getattr(p, "random", False)',
        (f"{COMBINED}::test_a_chain_is_what_its_members_are",),
    ),
    Fault(
        "a classifier's normalisation is left out",
        f"{CORE}/models/classifiers.py",
        "return self.classifier(self.normalize(images))",
        "return self.classifier(images)",
        (f"{BRIDGE}::test_the_classifiers_normalisation_is_applied",),
    ),
    Fault(
        "cached pairs are not known by how many are drawn for together",
        "plugins/robust_restoration_advfilter/pairs.py",
        '                "together": _together(images),\n',
        "",
        (f"{PAIRS}::test_a_cache_that_was_begun_with_other_sizes_is_not_gone_on_with",),
    ),
    Fault(
        "cached pairs are not known by how many lie in a file",
        "plugins/robust_restoration_advfilter/pairs.py",
        '                "shard": SHARD,\n',
        "",
        (f"{PAIRS}::test_a_cache_that_was_begun_with_other_sizes_is_not_gone_on_with",),
    ),
    # -- registry -----------------------------------------------------------------------------
    Fault(
        "of two entries of one name the first is taken",
        f"{CORE}/plugins/registry.py",
        "if len(same) == 1:",
        "if same:",
        (f"{REGISTRY}::test_entries_of_one_name_stay_reachable_and_the_bare_name_says_so",),
    ),
    Fault(
        "a foreign distribution may replace a built-in plugin",
        f"{CORE}/plugins/discovery.py",
        "(_canonical(p[1]) != PROJECT, p[0].name, p[1])",
        "(p[0].name, p[1])",
        (f"{REGISTRY}::test_nobody_replaces_a_builtin_plugin",),
    ),
    Fault(
        "a plugin cannot be switched off",
        f"{CORE}/plugins/discovery.py",
        "if point.name in disabled:",
        "if False:",
        (f"{REGISTRY}::test_a_plugin_can_be_switched_off",),
    ),
    # -- data ---------------------------------------------------------------------------------
    Fault(
        "noise depends on the place in the batch",
        f"{CORE}/degradations/draws.py",
        "[np.random.default_rng([seed, number]) for number in numbers]",
        "[np.random.default_rng([seed, number]) for number in range(count)]",
        (f"{NOISES}::TestNumbersOfAnImage::test_do_not_depend_on_the_batch",),
    ),
    Fault(
        "25 is a level of 25",
        f"{CORE}/numbers.py",
        "        level /= 255\n",
        "        level /= 1\n",
        (f"{NUMBERS}::test_levels",),
    ),
    # -- studies ------------------------------------------------------------------------------
    Fault(
        "transfer gives every image the same random start",
        f"{CORE}/evaluation/threats.py",
        "return attack(inputs, targets, index=numbers)",
        "return attack(inputs, targets, index=[0] * len(numbers))",
        (
            "tests/studies/test_transfer_and_similitude.py"
            "::test_an_image_s_random_start_is_its_own",
        ),
    ),
    Fault(
        "similitude gives every image the same random start",
        f"{STUDIES}/robustness_similitude.py",
        "maker(noisy, clean, index=number)",
        "maker(noisy, clean, index=0)",
        (f"{TRANSFER}::test_attacks_hear_the_image_s_number",),
    ),
    Fault(
        "success counts images that a denoiser does not restore",
        f"{STUDIES}/transferability.py",
        "if all(values[image] > bare for values in before) and",
        "if",
        (f"{TRANSFER}::test_success_is_eq_3",),
    ),
    Fault(
        "the circle is turned in a plane that is not orthogonal",
        f"{STUDIES}/radars.py",
        "across = change / length.clamp(min=1e-30) - along * axis",
        "across = change / length.clamp(min=1e-30)",
        (f"{TRANSFER}::test_circle_samples",),
    ),
    Fault(
        "the radar's ratio in place of its drop",
        f"{STUDIES}/radars.py",
        "falls = falls.clamp(min=0)",
        "falls = falls.abs()",
        (f"{TRANSFER}::test_radar_of_a_denoiser_that_does_not_fall",
         f"{TRANSFER}::test_a_gain_is_not_a_drop"),
    ),
    Fault(
        "the sphere lies about the origin",
        f"{STUDIES}/typical_set_theory.py",
        "return noisy + (length",
        "return (length",
        (f"{THEORY}::test_sphere_section",),
    ),
    Fault(
        "the lower volume bound is the upper one",
        f"{STUDIES}/typical_set_theory.py",
        "+ d * (h - eps), d * (h + eps)",
        "+ d * (h + eps), d * (h + eps)",
        (f"{THEORY}::test_volume",),
    ),
]

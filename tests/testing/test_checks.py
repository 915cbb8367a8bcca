"""Each conformance check passes a good object, and names the rule a bad one breaks."""

import math
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchattacks
from robust_restoration_testing import (
    ConformanceError,
    check_attack,
    check_defense,
    check_denoiser,
    check_plugin,
    check_purifier,
)
from torch import nn

from robust_restoration.contracts import Attack, Defense, Denoiser, Purifier, Stage
from robust_restoration.errors import InputError
from robust_restoration.images.checks import check_layout
from robust_restoration.models.create import create_attack

SMALL = {"sizes": ((9, 9), (7, 5))}


def test_a_broken_rule_is_an_assertion_error():
    assert issubclass(ConformanceError, AssertionError)


# --- denoisers -------------------------------------------------------------------------------


class Blur(Denoiser):
    """A 3x3 mean, mixed in as much as sigma says."""

    channels = None
    blind = False
    sigma_range = (0.0, 0.5)

    def forward(self, noisy, sigma=None):
        if sigma is None:
            raise InputError("needs sigma")
        share = 2 * torch.as_tensor(sigma).to(noisy).reshape(-1, 1, 1, 1)
        mean = F.avg_pool2d(F.pad(noisy, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        return noisy + share * (mean - noisy)


class BlindNet(Denoiser):
    """A convolution with batch norm, for colour images."""

    channels = 3

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, noisy, sigma=None):
        check_layout(noisy, "noisy", self.channels)
        return self.norm(self.conv(noisy))


class ForgetsSigma(Blur):
    """Works without sigma though it says it does not."""

    def forward(self, noisy, sigma=None):
        return super().forward(noisy, 0.1 if sigma is None else sigma)


class OneSigmaForAll(Blur):
    """Takes the first image's sigma for the whole batch."""

    def forward(self, noisy, sigma=None):
        if isinstance(sigma, torch.Tensor):
            sigma = float(sigma[0])
        return super().forward(noisy, sigma)


class OnlyFloatSigma(Blur):
    """Fails on a tensor."""

    def forward(self, noisy, sigma=None):
        if isinstance(sigma, torch.Tensor):
            raise TypeError("a float, please")
        return super().forward(noisy, sigma)


class TakesAnyChannels(BlindNet):
    """Raises torch's own error on gray images."""

    def forward(self, noisy, sigma=None):
        return self.norm(self.conv(noisy))


class NormStaysInTraining(BlindNet):
    """Updates its running means in eval mode."""

    def forward(self, noisy, sigma=None):
        check_layout(noisy, "noisy", self.channels)
        self.norm.train()
        out = super().forward(noisy)
        self.norm.eval()
        return out


class SwitchesMode(BlindNet):
    """Comes back in train mode."""

    def forward(self, noisy, sigma=None):
        out = super().forward(noisy)
        self.conv.train()
        return out


class WrongRange(Blur):
    """Says a range upside down."""

    sigma_range = (0.5, 0.1)


class SaysBlindNeither(Blur):
    """blind is no bool."""

    blind = "perhaps"


@pytest.mark.parametrize("denoiser", [Blur(), BlindNet(), BlindNet().train(), nn.Identity()])
def test_good_denoisers_pass(denoiser):
    training = denoiser.training
    check_denoiser(denoiser, **SMALL)
    assert denoiser.training == training


@pytest.mark.parametrize(
    ("denoiser", "rule"),
    [
        (ForgetsSigma(), "without sigma raises nothing"),
        (OneSigmaForAll(), r"sigma of shape \(N,\)"),
        (OnlyFloatSigma(), "a float, please"),
        (TakesAnyChannels(), "takes 3 channels, and given others"),
        (NormStaysInTraining(), "changes buffer 'norm.running_mean'"),
        (SwitchesMode(), "changes the mode of 'conv'"),
        (WrongRange(), "sigma_range"),
        (SaysBlindNeither(), "blind is 'perhaps'"),
        (nn.Conv2d(3, 3, 3), r"returns shape torch.Size\(\[2, 3, 7, 7\]\)"),
        (lambda noisy: noisy, "is no torch.nn.Module"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_bad_denoisers_fail(denoiser, rule):
    with pytest.raises(ConformanceError, match=rule):
        check_denoiser(denoiser, channels=3, **SMALL)


# --- purifiers -------------------------------------------------------------------------------


class Mean(Purifier):
    """A 3x3 mean."""

    def forward(self, images):
        return F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)


class Noise(Purifier):
    """Adds noise, and says so."""

    random = True

    def forward(self, images):
        return (images + 0.1 * torch.randn_like(images)).clamp(0, 1)


class Steps(Purifier):
    """Rounds to sixteen levels; rounding has no gradient, and it says so."""

    differentiable = False

    def forward(self, images):
        return (images * 15).round() / 15


class StraightThrough(Steps):
    """Rounds with an estimate for a gradient, which is not its own: still not differentiable."""

    def forward(self, images):
        return images + (super().forward(images) - images).detach()


def purifier(forward, **attributes):
    """A purifier of one function."""
    return type("Bad", (Purifier,), {"forward": lambda self, x: forward(x), **attributes})()


BAD_PURIFIERS = {
    "differentiable=True, yet": [
        purifier(lambda x: (x * 15).round() / 15),
        purifier(lambda x: x + ((x * 15).round() / 15 - x).detach()),
        purifier(lambda x: x.detach() ** 2),
    ],
    "differentiable=False, yet": [purifier(lambda x: x**2, differentiable=False)],
    "random=False, yet": [purifier(lambda x: (x + torch.rand_like(x)) / 2)],
    "random=True, yet": [purifier(lambda x: x**2, random=True)],
    "expected True or False": [
        purifier(lambda x: x, random=None),
        purifier(lambda x: x, differentiable=1),
    ],
    r"expected \[0, 1\]": [purifier(lambda x: x * 1.5), purifier(lambda x: x - 0.2)],
    "in place": [purifier(lambda x: x.mul_(0.5))],
    "NaN or infinity": [purifier(lambda x: x / 0 * 0)],
    "alone and in a batch": [purifier(lambda x: (x + x.mean(0, keepdim=True)) / 2)],
    "returns shape": [purifier(lambda x: x[..., :-1]), purifier(lambda x: x[:1])],
    "returns dtype": [purifier(lambda x: x.float()), purifier(lambda x: x.half())],
    "returns a tuple": [purifier(lambda x: (x,))],
    "raises on images": [
        purifier(lambda x: F.avg_pool2d(x, 8).repeat_interleave(8, -1)[x > 2]),
        purifier(lambda x: F.conv2d(x, torch.ones(1, 3, 1, 1))),  # no gray
    ],
    "channels is": [purifier(lambda x: x, channels="three")],
    "cannot be copied": [purifier(lambda x: x, __deepcopy__=lambda self, memo: 1 / 0)],
}


@pytest.mark.parametrize("good", [Mean(), Noise(), Steps(), StraightThrough(), nn.Identity()])
def test_good_purifiers_pass(good):
    check_purifier(good, **SMALL)


@pytest.mark.parametrize(
    ("rule", "bad"), [(rule, bad) for rule, many in BAD_PURIFIERS.items() for bad in many]
)
def test_bad_purifiers_fail(rule, bad):
    with pytest.raises(ConformanceError, match=rule):
        check_purifier(bad, **SMALL)


def test_one_of_two_sizes_is_enough_to_fail():
    def halves(x):  # loses the last row of odd sizes
        return x.unflatten(-2, (-1, 2)).flatten(-3, -2)

    check_purifier(purifier(halves), sizes=((8, 8),))
    with pytest.raises(ConformanceError, match="raises on images"):
        check_purifier(purifier(halves), sizes=((8, 8), (7, 8)))


def test_the_checks_leave_the_random_numbers_of_a_deterministic_object_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    check_purifier(Mean(), **SMALL)
    assert torch.equal(torch.rand(3), expected)


# --- attacks ---------------------------------------------------------------------------------


class Signs(Attack):
    """One signed step on the loss of a classifier."""

    norm = math.inf
    random = False

    def __init__(self, model, *, eps=8 / 255):
        super().__init__("Signs", model)
        self.eps = eps

    def forward(self, inputs, labels=None):
        leaf = inputs.clone().requires_grad_()
        loss = F.cross_entropy(self.get_logits(leaf), labels, reduction="sum")
        return inputs + self.eps * torch.autograd.grad(loss, leaf)[0].sign()


class Unlimited(Signs):
    """limit() keeps to nothing; forward does all of it."""

    def limit(self, attacked, inputs):
        return attacked

    def forward(self, inputs, labels=None):
        return super().limit(super().forward(inputs, labels), inputs)


class TooFar(Signs):
    """limit() keeps to the range alone."""

    def limit(self, attacked, inputs):
        return attacked.clamp(0, 1)


class Shrinks(Signs):
    """limit() moves what is within the budget."""

    def limit(self, attacked, inputs):
        return inputs + (super().limit(attacked, inputs) - inputs) / 2


class Overrides(Signs):
    """What overriding __call__ breaks."""

    def __call__(self, inputs, labels=None, index=0):
        return self.limit(self.forward(inputs, labels), inputs)


class TrainsAfter(Overrides):
    """Leaves the model in eval mode."""

    def __call__(self, inputs, labels=None, index=0):
        self.model.eval()
        return super().__call__(inputs, labels, index=index)


class FreezesAfter(Signs):
    """Leaves a parameter frozen."""

    def __call__(self, inputs, labels=None, index=0):
        out = super().__call__(inputs, labels, index=index)
        next(self.model.parameters()).requires_grad_(False)
        return out


class KeepsGradients(Signs):
    """Runs backward into the model's parameters."""

    def __call__(self, inputs, labels=None, index=0):
        with torch.enable_grad():
            self.model(inputs).sum().backward()
        return super().__call__(inputs, labels, index=index)


class RestoresOnSuccessOnly(Signs):
    """Leaves the model in eval mode when it raises."""

    def __call__(self, inputs, labels=None, index=0):
        modes = [(m, m.training) for m in self.model.modules()]
        self.model.eval()
        out = super().__call__(inputs, labels, index=index)
        for module, mode in modes:
            module.training = mode
        return out


class Swallows(Signs):
    """Returns the inputs where the model raises."""

    def forward(self, inputs, labels=None):
        try:
            return super().forward(inputs, labels)
        except Exception:
            return inputs


class Hides(Signs):
    """Raises another error than the model's."""

    def forward(self, inputs, labels=None):
        try:
            return super().forward(inputs, labels)
        except Exception:
            raise RuntimeError("something") from None


class InPlace(Signs):
    """Writes into its inputs."""

    def forward(self, inputs, labels=None):
        out = super().forward(inputs, labels)
        inputs += 1e-3
        return out


class MixesBatch(Signs):
    """Says rowwise, yet depends on the rest of the batch."""

    def forward(self, inputs, labels=None):
        return inputs - self.eps * (inputs.mean(0, keepdim=True) - 0.5)


class Draws(Signs):
    """Says it is not random, and is."""

    def forward(self, inputs, labels=None):
        return inputs + self.eps * (2 * torch.rand_like(inputs) - 1)


class OwnDraws(Draws):
    """Draws from a generator of its own."""

    random = True
    generator = torch.Generator().manual_seed(0)

    def forward(self, inputs, labels=None):
        return inputs + self.eps * torch.randn(inputs.shape, generator=self.generator)


class MovesGlobals(Signs):
    """Takes a number from numpy after all safeguards."""

    def __call__(self, inputs, labels=None, index=0):
        np.random.rand()  # noqa: NPY002
        return super().__call__(inputs, labels, index=index)


class OldCall(Signs):
    """Overrides __call__ as in version 0.1."""

    def __call__(self, inputs, labels=None):
        return super().__call__(inputs, labels)


class InferenceMatters(Signs):
    """Fails under inference_mode."""

    def __call__(self, inputs, labels=None, index=0):
        if torch.is_inference_mode_enabled():
            raise RuntimeError("no inference, please")
        return super().__call__(inputs, labels, index=index)


class LayoutMatters(Signs):
    """Fails on images in channels_last."""

    def __call__(self, inputs, labels=None, index=0):
        inputs.view(-1)
        return super().__call__(inputs, labels, index=index)


class NarrowMatters(Signs):
    """Fails on half precision."""

    def __call__(self, inputs, labels=None, index=0):
        if inputs.dtype == torch.float16:
            raise RuntimeError("float32, please")
        return super().__call__(inputs, labels, index=index)


class RoundsOff(Signs):
    """Rounds half precision to the nearest, which may be outside the budget."""

    def __call__(self, inputs, labels=None, index=0):
        out = super().__call__(inputs.float(), labels, index=index)
        return out.to(inputs.dtype)


class TakesNone(Signs):
    """Gives an empty batch back."""

    def __call__(self, inputs, labels=None, index=0):
        return inputs if not len(inputs) else super().__call__(inputs, labels, index=index)


class NoBudget(Signs):
    """Has eps, and says no norm."""

    norm = None


class MovesAtZero(Signs):
    """eps=0 does something."""

    def __call__(self, inputs, labels=None, index=0):
        out = super().__call__(inputs, labels, index=index)
        return (out - 1e-3 * out) if self.eps == 0 else out


class NoGradMatters(Signs):
    """Needs the caller to have gradients on."""

    def __call__(self, inputs, labels=None, index=0):
        if not torch.is_grad_enabled():
            raise RuntimeError("gradients, please")
        return super().__call__(inputs, labels, index=index)


class Accepts(Signs):
    """Takes targets of any number."""

    def check(self, inputs, targets):
        if not inputs.is_floating_point() or inputs.ndim != 4:
            raise InputError("no")

    def forward(self, inputs, labels=None):
        return super().forward(inputs[: len(labels)], labels).repeat(2, 1, 1, 1)[: len(inputs)]


def returning(function):
    """An attack whose result is bent after all safeguards."""

    def call(self, inputs, labels=None, index=0):
        return function(Signs.__call__(self, inputs, labels, index=index), inputs)

    return type("Bent", (Signs,), {"__call__": call})


BAD_ATTACKS = {
    r"in limit\(\) gives values": Unlimited,
    r"in limit\(\) gives a perturbation of size": TooFar,
    "moves what is within": Shrinks,
    "still carries gradients": returning(lambda out, x: out.requires_grad_()),
    "leaves the mode of": TrainsAfter,
    "leaves requires_grad of": FreezesAfter,
    "leaves the gradient kept in": KeepsGradients,
    "changed when the model raises": RestoresOnSuccessOnly,
    "swallows": Swallows,
    "hides": Hides,
    "changes the inputs in place": InPlace,
    "alone and in a batch": MixesBatch,
    "eps=0": MovesAtZero,
    "on one image under no_grad.*gradients, please": NoGradMatters,
    "given too few targets": Accepts,
    "returns dtype": returning(lambda out, x: out.double()),
    "returns shape": returning(lambda out, x: out[..., :-1]),
    "NaN": returning(lambda out, x: out * math.nan),
    "own memory": returning(lambda out, x: x),
    "returns a list": returning(lambda out, x: list(out)),
    "when called gives a perturbation": returning(lambda out, x: (out * 0.5)),
    "when called gives values": returning(lambda out, x: out + 1),
    "says random=False, yet draws": Draws,
    "with a seed attacks an image differently": OwnDraws,
    "changes the global state": MovesGlobals,
    "as in version 0.1: override forward": OldCall,
    r"under inference_mode.*no inference, please": InferenceMatters,
    "raises on images in channels_last": LayoutMatters,
    r"raises on torch\.float16": NarrowMatters,
    r"on torch\.float16 gives a perturbation": RoundsOff,
    "given an empty batch": TakesNone,
    "has eps and declares no norm": NoBudget,
    "declares a norm and no eps": lambda model: Signs(model, eps=None),
    "norm is 'L-inf'": type("Word", (Signs,), {"norm": "L-inf"}),
    "random is 1": type("One", (Signs,), {"random": 1}),
    "seed is 'x'": type("Seed", (Signs,), {"seed": "x"}),
}


@pytest.fixture
def labels():
    return torch.tensor([3, 1, 4, 1])


def test_good_attacks_pass_and_leave_the_model_as_it_was(tiny_classifier, images, labels):
    tiny_classifier[3].requires_grad_(False)
    tiny_classifier[1].train()
    modes = [m.training for m in tiny_classifier.modules()]
    flags = [p.requires_grad for p in tiny_classifier.parameters()]
    check_attack(Signs(tiny_classifier), images, labels)
    assert modes == [m.training for m in tiny_classifier.modules()]
    assert flags == [p.requires_grad for p in tiny_classifier.parameters()]


@pytest.mark.parametrize(("rule", "bad"), BAD_ATTACKS.items(), ids=BAD_ATTACKS)
def test_bad_attacks_fail(rule, bad, tiny_classifier, images, labels):
    with pytest.raises(ConformanceError, match=rule):
        check_attack(bad(tiny_classifier), images, labels)


def test_torchattacks_own_attack_fails_and_the_bridged_one_passes(tiny_classifier, images, labels):
    with pytest.raises(ConformanceError):
        check_attack(torchattacks.PGD(tiny_classifier, steps=2), images, labels)
    check_attack(create_attack("torchattacks/pgd", tiny_classifier, steps=2), images, labels)
    with pytest.raises(ConformanceError, match=r"is not a robust_restoration\.Attack"):
        check_attack(lambda x, y: x, images, labels)


def test_a_forward_of_version_0_1_is_named():
    with pytest.raises(InputError, match=r"Old\.forward takes 'index', as in version 0\.1"):

        class Old(Signs):
            def forward(self, inputs, labels, index=0):
                return inputs


def test_an_attack_on_a_denoiser_is_given_clean_images(images):
    class AddsDifference(Signs):
        """Moves away from the clean image."""

        def forward(self, inputs, clean=None):
            return inputs + self.eps * (self.model(inputs) - clean).sign()

    check_attack(AddsDifference(nn.Identity()), (images + 0.05).clamp(0, 1), images)


# --- defenses --------------------------------------------------------------------------------


class Pictures:
    """A training set of random pictures, noised with the generator."""

    def __init__(self, count=6, seeded=True):
        self.pixels = torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        self.seeded = seeded

    def __len__(self):
        return len(self.pixels)

    def batch(self, indices, generator, stage):
        clean = self.pixels[indices]
        noise = torch.randn(clean.shape, generator=generator if self.seeded else None)
        return {"clean": clean, "noisy": clean + 0.1 * noise}


class Regression(Defense):
    """Mean squared error, in two stages."""

    def stages(self, model):
        return (
            Stage("first", parameters=lambda model: model[0].parameters()),
            Stage("second", 2.0, parameters=lambda model: model[1].parameters()),
        )

    def loss(self, model, batch, step):
        loss = (model(batch["noisy"]) - batch["clean"]).square().mean()
        return loss, {"mse": float(loss.detach())}

    def validate(self, model, batch, stage):
        return {"mae": float((model(batch["noisy"]) - batch["clean"]).abs().mean())}


def defense(**methods):
    """A defense with some methods replaced."""
    return type("Bad", (Regression,), methods)()


def bent(function):
    """A loss changed after it was computed."""

    def loss(self, model, batch, step):
        return function(*Regression.loss(self, model, batch, step), model, batch)

    return loss


BAD_DEFENSES = {
    "expected a TrainingSet": defense(prepare=lambda self, data, **options: ([], None)),
    "with samples": defense(prepare=lambda self, data, **options: (Pictures(0), None)),
    "expected Stages": defense(stages=lambda self, model: ("first",)),
    "names a stage twice": defense(stages=lambda self, model: (Stage("first"), Stage("first"))),
    "not parameters of the model": defense(
        stages=lambda self, model: (
            Stage("train", parameters=lambda model: nn.Linear(2, 2).parameters()),
        )
    ),
    "names a parameter twice": defense(
        stages=lambda self, model: (
            Stage("train", parameters=lambda model: [*model.parameters(), model[0].weight]),
        )
    ),
    "in place": defense(loss=bent(lambda loss, f, m, b: (b["clean"].mul_(2), (loss, f))[1])),
    "expected one finite number": defense(loss=bent(lambda loss, f, m, b: (loss * math.nan, f))),
    "carries no gradients": defense(loss=bent(lambda loss, f, m, b: (loss.detach(), f))),
    "no gradient to what the stage trains": defense(
        loss=bent(lambda loss, f, m, b: (b["clean"].mean() + 0 * loss, f))
    ),
    "expected names and floats": defense(loss=bent(lambda loss, f, m, b: (loss, {"a": loss}))),
    "leaves the mode": defense(loss=bent(lambda loss, f, m, b: (m.eval(), (loss, f))[1])),
    r"validate\(\) gives": defense(validate=lambda self, model, batch, stage: None),
}


@pytest.fixture
def small_net():
    return nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 1, 3, padding=1))


def test_a_good_defense_passes_and_trains_nothing(small_net):
    before = [p.clone() for p in small_net.parameters()]
    check_defense(Regression(), small_net.eval(), Pictures())
    assert all(torch.equal(a, b) for a, b in zip(before, small_net.parameters(), strict=True))
    assert not small_net.training
    assert all(p.grad is None and p.requires_grad for p in small_net.parameters())


@pytest.mark.parametrize(("rule", "bad"), BAD_DEFENSES.items(), ids=BAD_DEFENSES)
def test_bad_defenses_fail(rule, bad, small_net):
    with pytest.raises(ConformanceError, match=rule):
        check_defense(bad, small_net, Pictures())


def test_draws_and_losses_come_from_their_generators(small_net):
    with pytest.raises(ConformanceError, match="draws another batch"):
        check_defense(Regression(), small_net, Pictures(seeded=False))
    hidden = torch.Generator().manual_seed(0)  # one that moves on from call to call

    def noisy(loss, figures, model, batch):
        return loss * (1 + torch.rand((), generator=hidden)), figures

    with pytest.raises(ConformanceError, match="neither from its generator"):
        check_defense(defense(loss=bent(noisy)), small_net, Pictures())
    with pytest.raises(ConformanceError, match=r"is no robust_restoration\.Defense"):
        check_defense(object(), small_net, Pictures())


def test_buffers_may_change_in_training(small_net):
    small_net[1] = nn.Sequential(nn.BatchNorm2d(2), small_net[1])
    check_defense(Regression(), small_net, Pictures())


# --- plugins ---------------------------------------------------------------------------------

PLUGIN = """
from robust_restoration import Entry, hookimpl

@hookimpl
def purifiers():
    return [Entry({name!r}, {target!r}, {summary!r}{more})]
"""
TARGETS = """
from torch import nn

class Good(nn.Module):
    \"\"\"Says what it is.\"\"\"

class Silent(nn.Module):
    pass

class Other:
    \"\"\"Is no module.\"\"\"

number = 5
"""


@pytest.fixture
def listed(fake_plugin):
    """Checks a plugin whose one entry is as given."""

    def check(name="zz_good", target="zz_targets:Good", summary="does good", more="", head=""):
        fake_plugin("zz_targets", TARGETS, name="zz_targets_unused")
        source = head + PLUGIN.format(name=name, target=target, summary=summary, more=more)
        fake_plugin("zz_plugin", source)
        return check_plugin("zz_plugin")

    return check


def test_a_good_plugin_passes(listed):
    assert listed().entries["purifiers"][0].name == "zz_good"


@pytest.mark.parametrize("name", ["attacks", "advfilter"])
def test_the_builtin_plugins_pass(name):
    assert check_plugin(name).status == "active"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"target": "zz_targets:Absent"}, "does not import"),
        ({"target": "zz_targets:Silent"}, "has no docstring"),
        ({"target": "zz_targets:Other"}, "is no torch.nn.*Module"),
        ({"target": "zz_targets:number"}, "cannot be called"),
        ({"target": "zz_targets.Good"}, "is broken"),
        ({"name": "has space"}, "a name with other than"),
        ({"name": ""}, "a name with other than"),
        ({"summary": ""}, "expected one line"),
        ({"summary": "two\nlines"}, "expected one line"),
        ({"more": ", roles='classifier'"}, "expected a tuple of words"),
        ({"more": ", paper=None"}, "expected text"),
        ({"head": "import torch\n"}, "import zz_plugin loads .*torch"),
        ({"head": "import zz_absent\n"}, "zz_absent"),
    ],
)
def test_bad_plugins_fail(listed, changes, rule):
    with pytest.raises(ConformanceError, match=rule):
        listed(**changes)


def test_a_submodule_must_not_hide_a_hook(fake_plugin):
    site = fake_plugin("zz_hidden", "")
    package = site / "zz_hidden"
    (site / "zz_hidden.py").unlink()
    package.mkdir()
    source = PLUGIN.format(
        name="zz_hidden", target="zz_hidden.purifiers:Good", summary="does good", more=""
    )
    (package / "__init__.py").write_text(source)
    (package / "purifiers.py").write_text(TARGETS)
    with pytest.raises(ConformanceError, match=r"rename the file.*specname='purifiers'"):
        check_plugin("zz_hidden")
    source = source.replace("def purifiers", "def my_purifiers")
    source = source.replace("@hookimpl", "@hookimpl(specname='purifiers')")
    (package / "__init__.py").write_text(source)
    for module in ("zz_hidden", "zz_hidden.purifiers"):
        sys.modules.pop(module, None)
    assert check_plugin("zz_hidden").entries["purifiers"]


def test_what_is_not_installed_is_not_loaded(listed):
    listed(target="zz_targets:Absent", more=", requires='zz_absent'")


def test_plugins_that_are_not_there_off_or_of_one_name(listed, fake_plugin, monkeypatch):
    with pytest.raises(ConformanceError, match="Did you mean 'attacks'"):
        check_plugin("atacks")
    listed()
    monkeypatch.setenv("ROBUST_RESTORATION_DISABLE_PLUGINS", "zz_plugin")
    with pytest.raises(ConformanceError, match="switched off"):
        check_plugin("zz_plugin")
    monkeypatch.delenv("ROBUST_RESTORATION_DISABLE_PLUGINS")
    fake_plugin("zz_rival", "", name="zz_plugin")
    with pytest.raises(ConformanceError, match="Two distributions"):
        check_plugin("zz_plugin")

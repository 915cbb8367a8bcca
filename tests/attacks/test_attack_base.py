"""What the base class of the attacks sees to: budgets, random numbers, modes, threads."""

import math
import random
import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from robust_restoration import Attack
from robust_restoration.contracts import frozen
from robust_restoration.contracts.budgets import in_range, rounded, size, within
from robust_restoration.contracts.randomness import GlobalState, PerImage, numbers_of
from robust_restoration.errors import InputError


class Leap(Attack):
    """Moves far away at random."""

    def __init__(self, model=None, *, norm=math.inf, eps=0.1, seed=0):
        super().__init__("Leap", model or nn.Identity())
        self.norm, self.eps, self.seed = norm, eps, seed

    def forward(self, inputs, targets=None):
        return inputs + 5 * torch.randn_like(inputs)


@pytest.fixture
def pictures():
    return torch.rand(4, 3, 6, 5, generator=torch.Generator().manual_seed(0))


# --- budgets ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("norm", "eps"), [(math.inf, 0.1), (2.0, 0.7), (1.0, 2.0), (0.0, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_every_norm_is_kept_and_used_up(norm, eps, dtype, pictures):
    inputs = pictures.to(dtype)
    attacked = Leap(norm=norm, eps=eps)(inputs)
    length = size(attacked.double() - inputs.double(), norm)
    slack = {torch.float32: 1e-6, torch.float64: 1e-14}.get(dtype, 0.0)
    assert (length <= eps * (1 + slack) + slack).all()
    assert (length > 0.7 * eps).all()
    assert attacked.min() >= 0
    assert attacked.max() <= 1


def test_a_budget_for_each_image(pictures):
    eps = torch.tensor([0.0, 0.01, 0.1, 0.2])
    attacked = Leap(eps=eps)(pictures)
    assert torch.equal(attacked[0], pictures[0])
    largest = (attacked - pictures).abs().amax((1, 2, 3))
    assert torch.allclose(largest, eps, atol=1e-6)
    with pytest.raises(InputError, match=r"eps has shape \(4,\) for 2 images"):
        Leap(eps=eps)(pictures[:2])


def test_l1_is_the_nearest_point(pictures):
    inputs = torch.full((1, 1, 2, 2), 0.5)
    attacked = inputs + torch.tensor([0.4, -0.2, 0.1, 0.0]).view(1, 1, 2, 2)
    found = within(attacked, inputs, norm=1.0, radius=torch.tensor([0.4])) - inputs
    assert torch.allclose(found.flatten(), torch.tensor([0.3, -0.1, 0.0, 0.0]), atol=1e-6)


def test_l0_counts_pixels_and_keeps_the_largest():
    inputs = torch.zeros(1, 2, 1, 3)
    attacked = torch.tensor([[[0.1, 0.5, 0.0]], [[0.1, 0.0, 0.3]]])[None]
    found = within(attacked, inputs, norm=0.0, radius=torch.tensor([2.0]))
    assert torch.equal(found, torch.tensor([[[0.0, 0.5, 0.0]], [[0.0, 0.0, 0.3]]])[None])
    assert size(attacked, 0.0).tolist() == [3.0]


def test_what_is_within_is_left_to_the_bit(pictures):
    near = (pictures + 0.03 * torch.randn(pictures.shape)).clamp(0, 1)
    for norm, eps in ((math.inf, 0.5), (2.0, 5.0), (1.0, 50.0), (0.0, 30)):
        radius = torch.full((4,), float(eps))
        assert torch.equal(within(near, pictures, norm=norm, radius=radius), near)


def test_a_pixel_outside_the_range_goes_no_further_out():
    inputs = torch.tensor([-0.2, 0.5, 1.3]).view(1, 1, 1, 3)
    lower, higher = (in_range(inputs + d, inputs, (0, 1)).flatten().tolist() for d in (-1, 1))
    assert lower == pytest.approx([-0.2, 0, 0.3])
    assert higher == pytest.approx([0.8, 1, 1.3])
    assert Leap(eps=0.9)(inputs).min() >= -0.2


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_towards_the_input(dtype):
    inputs = torch.rand(1, 1, 100, 100).to(dtype)
    exact = inputs.double() + 8 / 255 * torch.randn(inputs.shape).sign()
    found = rounded(exact, inputs)
    assert ((found.double() - inputs.double()).abs() <= 8 / 255).all()
    assert ((exact.to(dtype).double() - inputs.double()).abs() > 8 / 255).any()
    nearest = (exact - exact.to(dtype).double()).abs()
    assert ((exact - found.double()).abs() <= 2 * nearest.max()).all()


@pytest.mark.parametrize("eps", [0, 0.0, torch.tensor(0.0), torch.zeros(4)])
def test_no_budget_gives_the_input_back(eps, pictures):
    attacked = Leap(eps=eps)(pictures)
    assert torch.equal(attacked, pictures)
    assert attacked.data_ptr() != pictures.data_ptr()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"eps": 8}, "write 8/255"),
        ({"eps": -1, "norm": 2.0}, "eps is -1"),
        ({"eps": "8/255"}, "eps is '8/255'"),
        ({"seed": -1}, "seed is -1"),
        ({"norm": "Linf"}, "Leap.norm is 'Linf'; expected a number: math.inf"),
        ({"norm": 3}, "Leap.norm is 3"),
    ],
)
def test_budgets_that_make_no_sense(changes, sentence, pictures):
    with pytest.raises(InputError, match=sentence):
        Leap(**changes)(pictures)


def test_bad_inputs(pictures):
    attack = Leap()
    with pytest.raises(InputError, match="holds no image"):
        attack(pictures[:0])
    with pytest.raises(InputError, match="2 indices for 4 images"):
        attack(pictures, index=[1, 2])
    with pytest.raises(InputError, match="image numbers of 0 or more"):
        attack(pictures, index=-1)


# --- random numbers --------------------------------------------------------------------------


def draws_of_every_kind(x):
    """Each way in which torch fills a tensor with one row an image."""
    n = len(x)
    yield torch.rand(n, 3)
    yield torch.rand((n, 2), dtype=torch.float64)
    yield torch.randn(n, 2, 2)
    yield torch.rand(size=(n, 2))
    yield torch.rand_like(x)
    yield torch.randn_like(x)
    yield torch.randint(5, (n, 4))
    yield torch.randint(-3, 5, (n, 4))
    yield torch.randint(low=2, high=9, size=(n, 4))
    yield torch.randint_like(x, 9)
    yield torch.randint_like(x, 3, 9)
    yield torch.empty_like(x).uniform_(-2, 2)
    yield torch.empty_like(x).uniform_()
    yield torch.empty_like(x).normal_(3, 0.1)
    yield torch.empty_like(x).normal_()
    yield torch.empty_like(x).bernoulli_(0.3)
    yield torch.empty_like(x).random_(7)
    yield torch.empty_like(x).random_(3, 7)
    yield torch.rand(n)


def test_rows_are_drawn_by_seed_and_number(pictures):
    with PerImage(1, [4, 5, 6, 7]):
        together = list(draws_of_every_kind(pictures))
    with PerImage(1, [6]):
        alone = list(draws_of_every_kind(pictures[2:3]))
    with PerImage(2, [6]):
        other = list(draws_of_every_kind(pictures[2:3]))
    for number, (whole, row, changed) in enumerate(zip(together, alone, other, strict=True)):
        assert torch.equal(whole[2:3], row), number
        assert whole.dtype == row.dtype
        assert not torch.equal(row, changed) or row.numel() < 5


def test_rows_have_the_distribution_that_was_asked_for(pictures):
    x = torch.zeros(2, 100, 100)
    with PerImage(0, [0, 1]):
        checks = [
            (torch.rand_like(x), 0.5, 0, 1),
            (torch.empty_like(x).uniform_(-2, 1), -0.5, -2, 1),
            (torch.empty_like(x).normal_(3, 0.1), 3, 2, 4),
            (torch.empty_like(x).bernoulli_(0.3), 0.3, 0, 1),
            (torch.randint(-3, 5, x.shape).float(), 0.5, -3, 4),
            (torch.randint(high=5, size=x.shape).float(), 2, 0, 4),
            (torch.randint_like(x, 3, 9), 5.5, 3, 8),
            (torch.empty_like(x).random_(7), 3, 0, 6),
        ]
    for values, mean, low, high in checks:
        assert float(values.mean()) == pytest.approx(mean, abs=0.06)
        assert low <= float(values.min())
        assert float(values.max()) <= high
    with PerImage(0, [0, 1]):
        assert torch.randint(5, (2, 3)).dtype == torch.int64
        own = torch.Generator().manual_seed(0)
        assert torch.equal(
            torch.rand(2, 3, generator=own), torch.rand(2, 3, generator=own.manual_seed(0))
        )


KINDS = {
    "one number for the batch": lambda x: float(torch.rand(())),
    "a size": lambda x: int(torch.randint(100, (1,))) / 100,
    "dropout": lambda x: F.dropout(x, 0.5),
    "a permutation": lambda x: torch.randperm(30).to(x).view(1, 1, 6, 5) / 30,
    "numpy": lambda x: np.random.rand(),  # noqa: NPY002
    "python": lambda x: random.random(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_draws_otherwise_runs_image_by_image(kind, pictures):
    class Odd(Leap):
        def forward(self, inputs, targets=None):
            return 0.5 * inputs + 0.1 * KINDS[kind](inputs) + 0.1 * torch.rand_like(inputs)

    eps = torch.tensor([0.5, 0.6, 0.7, 0.8])
    attack = Odd(eps=eps)
    together = attack(pictures, index=3)
    assert not attack.rowwise
    random.random(), np.random.rand(), torch.rand(2)  # noqa: NPY002
    before = GlobalState(torch.device("cpu"))
    again = Odd(eps=eps)(pictures, index=3)
    alone = Odd(eps=0.7)(pictures[2:3], index=5)
    assert before.unchanged()
    assert torch.equal(together, again)
    assert torch.equal(together[2:3], alone)
    assert not torch.equal(alone, Odd(eps=0.7)(pictures[2:3], index=6))


def test_global_states_come_back_when_an_attack_raises(pictures):
    class Fails(Leap):
        def forward(self, inputs, targets=None):
            torch.manual_seed(0)
            np.random.seed(0)  # noqa: NPY002
            raise ValueError("no")

    for rowwise in (True, False):
        attack = Fails()
        attack.rowwise = rowwise
        before = GlobalState(torch.device("cpu"))
        with pytest.raises(ValueError, match="no"):
            attack(pictures)
        assert before.unchanged()


def test_without_a_seed_torch_s_own_gives_it(pictures):
    attack = Leap(seed=None)
    torch.manual_seed(4)
    first, second = attack(pictures), attack(pictures)
    torch.manual_seed(4)
    assert torch.equal(attack(pictures), first)
    assert not torch.equal(first, second)
    still = Leap(seed=None)
    still.random = False
    before = GlobalState(torch.device("cpu"))
    still(pictures)
    assert before.unchanged()


def test_tensors_beside_the_images_are_split_too(pictures):
    class Adds(Leap):
        rowwise = False

        def forward(self, inputs, targets=None, more=None, scale=1):
            assert len(targets) == len(more) == 1
            return inputs + scale * (more + targets.view(-1, 1, 1, 1))

    more = torch.rand(4, 1, 1, 1) / 9
    found = Adds(eps=0.5)(pictures, torch.arange(4) / 9, more=more, scale=0.1)
    expected = pictures + 0.1 * (more + torch.arange(4).view(-1, 1, 1, 1) / 9)
    assert torch.allclose(found, expected.clamp(0, 1))


def test_numbers():
    assert numbers_of(3, 5) == [5, 6, 7]
    assert numbers_of(2, np.int64(1)) == [1, 2]
    assert numbers_of(2, torch.tensor([9, 3])) == [9, 3]


# --- modes, precision, threads ---------------------------------------------------------------


class Ascent(Attack):
    """One step along the sign of the gradient, by the model itself."""

    norm, random = math.inf, False

    def __init__(self, model, *, eps=0.05):
        super().__init__("Ascent", model)
        self.eps = eps

    def forward(self, inputs, targets):
        leaf = inputs.clone().requires_grad_()
        loss = F.cross_entropy(self.model(leaf), targets)
        return inputs + self.eps * torch.autograd.grad(loss, leaf)[0].sign()


def test_under_inference_mode(tiny_classifier, images):
    labels = torch.arange(4)
    expected = Ascent(tiny_classifier)(images, labels)
    with torch.inference_mode():
        assert torch.equal(Ascent(tiny_classifier)(images.clone(), labels.clone()), expected)
        assert torch.equal(Ascent(tiny_classifier)(images, labels), expected)


def test_a_model_of_another_precision(tiny_classifier, images):
    labels = torch.arange(4)
    expected = Ascent(tiny_classifier)(images, labels)
    narrow = Ascent(tiny_classifier)(images.half(), labels)
    assert narrow.dtype == torch.float16
    assert (narrow.float() - expected).abs().mean() < 0.01
    wide = Ascent(tiny_classifier)(images.double(), labels)
    assert wide.dtype == torch.float64
    assert torch.allclose(wide.float(), expected, atol=1e-5)
    with pytest.raises(RuntimeError):  # the model is as it was
        tiny_classifier(images.half())


def test_frozen_by_two_threads_at_once(tiny_classifier, images):
    """Flags, modes and running means are as before, whoever comes and goes first."""
    model = tiny_classifier.train()
    model[1].eval()
    model[0].weight.requires_grad_(False)
    whole = nn.Sequential(model)  # a model that shares all its parts
    modes = [module.training for module in model.modules()]
    flags = [parameter.requires_grad for parameter in model.parameters()]
    buffers = [buffer.clone() for buffer in model.buffers()]
    start, wrong = threading.Barrier(2), []

    def attack(which):
        for _ in range(30):
            start.wait()
            with frozen(which):
                for _ in range(3):
                    which(images[:1])
                    if any(m.training for m in which.modules()):
                        wrong.append("mode")
                    if any(p.requires_grad for p in which.parameters()):
                        wrong.append("flag")

    threads = [threading.Thread(target=attack, args=(m,)) for m in (model, whole)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert modes == [module.training for module in model.modules()]
    assert flags == [parameter.requires_grad for parameter in model.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(buffers, model.buffers(), strict=True))


def test_attacked_by_two_threads_at_once(tiny_classifier, images):
    model, labels = tiny_classifier.train(), torch.arange(4)
    expected = Ascent(model)(images, labels)
    found, errors = [], []

    def attack():
        try:
            for _ in range(10):
                found.append(Ascent(model)(images, labels))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=attack) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert all(torch.equal(one, expected) for one in found)
    assert all(module.training for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_the_last_one_out_restores():
    model = nn.Linear(2, 2)
    first, second = frozen(model), frozen(model)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not model.training
    assert not model.weight.requires_grad
    second.__exit__(None, None, None)
    assert model.training
    assert model.weight.requires_grad


class Silent(nn.Linear):
    """As many people's modules are: its ``train`` gives nothing back."""

    def train(self, mode=True):
        super().train(mode)


def test_a_model_whose_train_gives_nothing_back_is_frozen_too():
    model = Silent(2, 2)
    with frozen(model):
        assert not model.training
        assert not model.weight.requires_grad
    assert model.training
    assert model.weight.requires_grad

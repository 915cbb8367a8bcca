"""Certificates: exact bounds, the closed form of linear classifiers, and no way past one."""

import math

import numpy as np
import pytest
import torch
from robust_restoration_certify.binomial import leads, lower_bound
from robust_restoration_certify.smoothing import ABSTAINED, SmoothedClassifier
from scipy.stats import binom, norm
from torch import nn

from robust_restoration.errors import InputError


class Linear(nn.Module):
    """Two classes on the two sides of a plane: the smoothed one is the same classifier."""

    def __init__(self, size=12, seed=0, middle=0.5):
        super().__init__()
        direction = torch.randn(size, generator=torch.Generator().manual_seed(seed))
        self.register_buffer("direction", direction / direction.norm())
        self.middle = middle

    def forward(self, images):
        side = (images.flatten(1) - self.middle) @ self.direction.to(images)
        return torch.stack([-side, side], 1)


@pytest.fixture
def images():
    return torch.rand(6, 3, 2, 2, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("p", [0.05, 0.5, 0.9, 0.999])
def test_the_lower_bound_covers_as_often_as_it_says(p):
    draws, alpha, trials = 60, 0.1, 4000
    counts = np.random.default_rng(0).binomial(draws, p, trials)
    bounds = {k: lower_bound(int(k), draws, alpha) for k in set(counts)}
    misses = np.mean([bounds[k] > p for k in counts])
    assert misses <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / trials)
    # Exact, and not merely valid: the next smaller alpha's bound is lower.
    assert lower_bound(50, draws, 0.01) < lower_bound(50, draws, alpha) < 50 / draws


def test_the_lower_bound_at_its_ends():
    assert lower_bound(0, 10, 0.001) == 0
    assert lower_bound(10_000, 10_000, 0.001) == pytest.approx(0.001 ** (1 / 10_000))
    with pytest.raises(InputError, match="expected 0 to all"):
        lower_bound(11, 10, 0.001)


def test_leading_needs_evidence():
    assert leads(900, 100, 0.001)
    assert not leads(52, 48, 0.001)
    assert not leads(0, 0, 0.001)


def test_the_radius_of_a_linear_classifier_is_its_distance(images):
    classifier = Linear()
    distance = ((images.flatten(1) - 0.5) @ classifier.direction).abs()
    smoothed = SmoothedClassifier(classifier, sigma=0.25, batch_size=5000)
    found = smoothed.certify(images, n=50_000)
    named = ~found.abstained
    assert torch.equal(found.prediction[named], classifier(images).argmax(1)[named])
    assert bool((distance[found.abstained] < 0.01).all())  # nothing but what lies on the border
    # p = Phi(distance / sigma): the bound lies below by no more than its own width.
    below = 0.25 * torch.from_numpy(
        norm.ppf(norm.cdf(distance / 0.25) - 6 * np.sqrt(0.25 / 50_000))
    )
    assert bool((found.radius <= distance + 1e-6).all())
    assert bool((found.radius[named] >= below[named]).all())


def test_more_draws_never_lower_what_can_be_certified(images):
    sure = Linear(middle=-2.0)  # always the same class: only the number of draws limits
    radii = [
        float(SmoothedClassifier(sure, sigma=0.25).certify(images[:1], n=n).radius)
        for n in (100, 1000, 10_000)
    ]
    expected = [0.25 * norm.ppf(0.001 ** (1 / n)) for n in (100, 1000, 10_000)]
    assert radii == pytest.approx(expected)
    assert radii == sorted(radii)


def test_a_coin_abstains():
    class Coin(nn.Module):
        def forward(self, images):
            side = images.flatten(1)[:, :1] - 0.5
            return torch.cat([side, -side], 1)

    smoothed = SmoothedClassifier(Coin(), sigma=0.25)
    at_the_border = torch.full((2, 1, 4, 4), 0.5)
    found = smoothed.certify(at_the_border, n=2000)
    assert found.prediction.tolist() == [ABSTAINED] * 2
    assert found.radius.tolist() == [0.0] * 2
    assert smoothed.predict(at_the_border, n=2000).tolist() == [ABSTAINED] * 2


def test_figures_depend_on_seed_and_number_alone(images):
    whole = SmoothedClassifier(Linear(), sigma=1.0, batch_size=7).certify(images, n=501)
    other = SmoothedClassifier(Linear(), sigma=1.0, batch_size=64)
    state = torch.get_rng_state()
    alone = other.certify(images[4:], n=501, index=4)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(whole.radius[4:], alone.radius)
    picked = other.certify(images[[5, 0]], n=501, index=[5, 0])
    assert torch.equal(whole.radius[[5, 0]], picked.radius)
    again = SmoothedClassifier(Linear(), sigma=1.0, seed=1).certify(images, n=501)
    assert not torch.equal(whole.radius, again.radius)


def test_the_denoiser_stands_between_noise_and_classifier(images):
    class Seen(nn.Module):
        def forward(self, x):
            seen.append(x)
            return torch.full_like(x, 0.75)

    seen = []
    smoothed = SmoothedClassifier(Linear(), sigma=0.5, denoiser=Seen(), batch_size=50)
    found = smoothed.certify(images[:1], n0=10, n=100)
    assert float((torch.cat(seen) - images[0]).std()) == pytest.approx(0.5, rel=0.1)
    expected = int(Linear()(torch.full((1, 3, 2, 2), 0.75)).argmax())
    assert found.prediction.tolist() == [expected]


def test_the_model_is_left_as_it_was(images):
    classifier = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(12), nn.Linear(12, 3)).train()
    mean = classifier[1].running_mean.clone()
    SmoothedClassifier(classifier).certify(images[:2], n0=10, n=20)
    assert classifier.training
    assert torch.equal(mean, classifier[1].running_mean)
    assert all(p.requires_grad for p in classifier.parameters())


def test_no_step_inside_the_radius_changes_the_prediction(images):
    # For a linear classifier the shortest way out is known: the certificate must end before it.
    classifier = Linear(middle=0.4)
    smoothed = SmoothedClassifier(classifier, sigma=0.5, batch_size=5000)
    found = smoothed.certify(images, n=5000)
    side = torch.where(found.prediction == 1, -1.0, 1.0).view(-1, 1, 1, 1)
    step = side * classifier.direction.view(1, 3, 2, 2)
    moved = images + (found.radius * 0.999).float().view(-1, 1, 1, 1) * step
    assert torch.equal(classifier(moved).argmax(1)[~found.abstained],
                       found.prediction[~found.abstained])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigma": 0}, "sigma is 0"),
        ({"sigma": 25}, "fraction of"),
        ({"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        SmoothedClassifier(Linear(), **options)


def test_bad_calls(images):
    smoothed = SmoothedClassifier(Linear())
    with pytest.raises(InputError, match=r"\(N, C, H, W\)"):
        smoothed.certify(images[0])
    with pytest.raises(InputError, match="n is 0; expected a whole number, 1 or more"):
        smoothed.certify(images, n=0)
    with pytest.raises(InputError, match="indices for 6 images"):
        smoothed.certify(images, index=[1, 2])


def test_the_verb_takes_one_image_or_several(images):
    import robust_restoration as rr

    several = rr.certify(Linear(), images, sigma=0.25, n=500)
    prediction, radius, abstained = rr.certify(Linear(), images[1], sigma=0.25, n=500, index=1)
    assert prediction.shape == radius.shape == abstained.shape == ()
    assert float(radius) == float(several.radius[1])
    assert int(prediction) == int(several.prediction[1])


def test_a_denoiser_by_name(images):
    import robust_restoration as rr

    gray = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    found = rr.certify(Linear(256), gray, sigma=0.1, denoiser="dncnn_b=nt", n=50)
    assert found.prediction.shape == (1,)

@pytest.mark.parametrize("seed", range(3))
def test_pgd_breaks_no_certificate(seed):
    # A small network whose borders are curved; the attack knows the noise and averages over it.
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 24), nn.Tanh(), nn.Linear(24, 3))
    nn.init.normal_(network[1].weight, std=1.5)
    images = torch.rand(8, 3, 2, 2)
    smoothed = SmoothedClassifier(network, sigma=0.25, batch_size=4000, seed=seed)
    found = smoothed.certify(images, n=2000)
    certified = ~found.abstained
    assert int(certified.sum()) >= 4
    x, labels = images[certified], found.prediction[certified]
    radius = found.radius[certified].float() * 0.999
    noise = 0.25 * torch.randn(256, 1, 3, 2, 2)

    def mean_probability(inputs):
        copies = (inputs + noise).flatten(0, 1)
        return network(copies).softmax(1).view(256, len(inputs), 3).mean(0)

    moved = x.clone()
    for _ in range(20):
        moved.requires_grad_()
        loss = -mean_probability(moved).gather(1, labels[:, None]).log().sum()
        step = torch.autograd.grad(loss, moved)[0].flatten(1)
        step = step / step.norm(dim=1, keepdim=True).clamp(min=1e-12)
        away = (moved.detach() - x).flatten(1) + 0.25 * radius[:, None] * step
        away *= (radius / away.norm(dim=1).clamp(min=1e-12)).clamp(max=1)[:, None]
        moved = x + away.view_as(x)
    reached = (moved - x).flatten(1).norm(dim=1)
    assert bool((reached > 0.9 * radius).all())  # the attack used what it may
    # Not clamped to [0, 1]: the certificate holds for every perturbation.
    counts = torch.stack(
        [smoothed.counts(image, 4000, number) for number, image in enumerate(moved)]
    )
    assert torch.equal(counts.argmax(1), labels)
    # And an attack of five times the radius does break some, or the test says nothing.
    far = x + 5 * (moved - x)
    beyond = [int(smoothed.counts(image, 1000, n).argmax()) for n, image in enumerate(far)]
    assert beyond != labels.tolist()


def test_a_larger_share_gives_a_larger_radius_and_so_do_more_draws():
    shares = [lower_bound(count, 1000, 0.001) for count in range(1001)]
    assert shares == sorted(shares)
    draws = [lower_bound(9 * n // 10, n, 0.001) for n in (10, 100, 1000, 10_000, 100_000)]
    assert draws == sorted(draws)
    assert draws[-1] < 0.9


def test_abstentions_are_as_frequent_as_the_test_says():
    # p = 0.6 and n = 50: a class is named if 36 of 50 agree or more, which is a binomial's tail.
    draws, p, alpha, trials = 50, 0.6, 0.05, 400
    needed = next(k for k in range(51) if lower_bound(k, draws, alpha) > 0.5)

    class Biased(nn.Module):
        def forward(self, images):
            side = images.flatten(1)[:, :1] - 0.5
            return torch.cat([side, -side], 1)

    middle = 0.5 + 0.25 * norm.ppf(p)
    smoothed = SmoothedClassifier(Biased(), sigma=0.25)
    found = smoothed.certify(torch.full((trials, 1, 1, 1), middle), n0=200, n=draws, alpha=alpha)
    share = float(found.abstained.float().mean())
    expected = float(binom.cdf(needed - 1, draws, p))
    assert share == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / trials))
    assert 0.1 < expected < 0.9

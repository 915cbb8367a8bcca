"""The typical set of Gaussian noise, and what a small perturbation does to it, as functions.

The theorems of the typical-set paper, with n ~ N(0, sigma^2 I) in d dimensions. A sample is typical
to within eps if its log-density per dimension is within eps of what it is on average, which is
minus the differential entropy h = log(2 pi e sigma^2) / 2:

    |-(1/d) log p(n) - h| = ||n||^2 / (2 d sigma^2) - 1/2| <= eps.

Adversarial noise lies just outside, on the side of larger norms: that is why the tail is sampled in
training (`typical_set_sampling`).
"""

from __future__ import annotations

import math

import torch
from scipy.stats import chi2
from torch import Tensor

from robust_restoration.errors import InputError


def entropy(sigma: float) -> float:
    """Differential entropy per dimension in nats, log(2 pi e sigma^2) / 2.

    Args:
        sigma: Standard deviation, above 0.

    Raises:
        InputError: If it is not.
    """
    if sigma <= 0:
        raise InputError(f"sigma is {sigma}; expected a standard deviation above 0.")
    return 0.5 * math.log(2 * math.pi * math.e * sigma**2)


def log_density(noise: Tensor, sigma: float) -> Tensor:
    """Log p of each sample, (N,), in nats.

    Args:
        noise: (N, ...).
        sigma: Standard deviation, above 0.
    """
    flat = noise.flatten(1).double()
    values = flat.shape[1]
    constant = values * (entropy(sigma) - 0.5)
    return -flat.square().sum(1) / (2 * sigma**2) - constant


def typicality(noise: Tensor, sigma: float) -> Tensor:
    """-(1/d) log p(n) - h of each sample, (N,): 0 is typical, above 0 is too long.

    It is ||n||^2 / (2 d sigma^2) - 1/2. Arguments as in `log_density`.
    """
    flat = noise.flatten(1).double()
    return -log_density(noise, sigma) / flat.shape[1] - entropy(sigma)


def norm_bounds(eps: float, d: int, sigma: float) -> tuple[float, float]:
    """Theorem 3.6: samples typical to within eps have norms between these.

    sigma sqrt(d (1 - 2 eps)) and sigma sqrt(d (1 + 2 eps)); the lower is 0 from eps = 1/2 on.
    """
    return sigma * math.sqrt(d * max(0.0, 1 - 2 * eps)), sigma * math.sqrt(d * (1 + 2 * eps))


def typical_probability(eps: float, d: int) -> float:
    """How likely a sample is typical to within eps: exactly, as ||n||^2 / sigma^2 is chi^2_d.

    The law of large numbers that Theorem 3.6 rests on says that this tends to 1 as d grows.
    """
    return float(chi2.cdf(d * (1 + 2 * eps), d) - chi2.cdf(d * max(0.0, 1 - 2 * eps), d))


def log_density_change_l2(norm: float | Tensor, xi: float, sigma: float) -> float | Tensor:
    """Lemma 3.8: the most that log p changes under a perturbation of L2 norm up to xi.

    (2 xi ||n|| + xi^2) / (2 sigma^2), reached by one along n.

    Args:
        norm: ||n||.
        xi: The perturbation's L2 norm.
        sigma: Standard deviation.
    """
    return (2 * xi * norm + xi**2) / (2 * sigma**2)


def typicality_under_l2(eps: float, xi: float, d: int, sigma: float) -> float:
    """Theorem 3.10: what is typical to within eps stays so to within this under ||d||_2 <= xi.

    eps' = eps + xi sqrt(1 + 2 eps) / (sigma sqrt(d)) + xi^2 / (2 d sigma^2). For xi = r sqrt(d), a
    perturbation of root mean square r, this does not depend on d: it is of the order r / sigma.
    """
    return (
        eps + xi * math.sqrt(1 + 2 * eps) / (sigma * math.sqrt(d)) + xi**2 / (2 * d * sigma**2)
    )


def worst_linf_direction(noise: Tensor, eta: float) -> Tensor:
    """Lemma 3.12: the perturbation with |d|_inf <= eta that lowers log p(n + d) most.

    eta sign(n): each value is made longer by eta. Shaped like ``noise``.
    """
    return eta * torch.where(noise < 0, -1.0, 1.0).to(noise)


def folded_normal_density(values: Tensor, sigma: float) -> Tensor:
    """Lemma 3.14: the density of |n_i|, sqrt(2 / pi) / sigma exp(-x^2 / (2 sigma^2)) for x >= 0.

    Args:
        values: x, any shape; where it is below 0 the density is 0.
        sigma: Standard deviation of n_i, above 0.
    """
    x = values.double()
    density = math.sqrt(2 / math.pi) / sigma * torch.exp(-x.square() / (2 * sigma**2))
    return torch.where(x < 0, 0.0, density)


def folded_normal_mean(sigma: float) -> float:
    """Lemma 3.14: the mean of |n_i|, sigma sqrt(2 / pi)."""
    return sigma * math.sqrt(2 / math.pi)


def l1_norm_bounds(eps: float, d: int, sigma: float) -> tuple[float, float]:
    """Lemma 3.16: for large d, the L1 norm of a sample lies between these.

    d (sigma sqrt(2 / pi) - eps) and d (sigma sqrt(2 / pi) + eps), by the law of large numbers. As
    |n_i| has the variance sigma^2 (1 - 2 / pi), Chebyshev's inequality says for every d that this
    holds with a probability of at least 1 - sigma^2 (1 - 2 / pi) / (d eps^2), which is at least
    the lemma's 1 - eps as soon as d is sigma^2 (1 - 2 / pi) / eps^3.

    Args:
        eps: How far the mean of |n_i| may be from what is expected, as a fraction of [0, 1].
        d: Number of values.
        sigma: Standard deviation.

    Returns:
        The lowest, at least 0, and the highest.
    """
    mean = folded_normal_mean(sigma)
    return d * max(0.0, mean - eps), d * (mean + eps)


def log_density_change_linf(
    l1_norm: float | Tensor, eta: float, d: int, sigma: float
) -> float | Tensor:
    """Lemma 3.18: the most that log p changes under a perturbation with |d|_inf <= eta.

    (2 eta ||n||_1 + d eta^2) / (2 sigma^2), reached by `worst_linf_direction`. For large d,
    ||n||_1 is d sigma sqrt(2 / pi) to within `l1_norm_bounds`.

    Args:
        l1_norm: ||n||_1.
        eta: The perturbation's L-infinity norm.
        d: Number of values.
        sigma: Standard deviation.
    """
    return (2 * eta * l1_norm + d * eta**2) / (2 * sigma**2)


def typicality_under_linf(eps: float, eta: float, sigma: float) -> float:
    """Theorem 3.20: the same as `typicality_under_l2` for |d|_inf <= eta, for large d.

    eps'' = eps + (eta / sigma) sqrt(2 / pi) + eta^2 / (2 sigma^2), as the mean of |n_i| over many
    values is sigma sqrt(2 / pi).
    """
    return eps + eta / sigma * math.sqrt(2 / math.pi) + eta**2 / (2 * sigma**2)


def log_volume_bounds(eps: float, d: int, sigma: float) -> tuple[float, float]:
    """Theorem 3.4 and Proposition 3.22: the logarithm of the typical set's volume lies between.

    log P + d (h - eps) and d (h + eps), as the density in the set lies between exp(-d (h + eps))
    and exp(-d (h - eps)), and integrates to P, how likely a sample is typical. The paper writes
    1 - eps for P, which is smaller once d is large; P itself holds for every d.

    Args:
        eps: The set holds what is typical to within this, above 0.
        d: Number of values.
        sigma: Standard deviation, above 0.

    Raises:
        InputError: If eps is not above 0: the set then has no volume.
    """
    if eps <= 0:
        raise InputError(f"eps is {eps}; expected a number above 0.")
    h = entropy(sigma)
    return math.log(typical_probability(eps, d)) + d * (h - eps), d * (h + eps)


def equivalent_edge(sigma: float, eps: float = 0.0) -> float:
    """The edge of the cube whose volume is the upper bound of the typical set's.

    sqrt(2 pi e) sigma exp(eps): for the noise itself with eps tending to 0 (Proposition 3.22), and
    with `typicality_under_l2` or `typicality_under_linf` as eps for perturbed noise (Propositions
    3.24 and 3.26).
    """
    return math.sqrt(2 * math.pi * math.e) * sigma * math.exp(eps)


def mixed_noise(first: Tensor, second: Tensor, share: float) -> Tensor:
    """sqrt(share) n1 + sqrt(1 - share) n2: of the variance of each, if they are independent.

    Args:
        first: Any shape.
        second: The same shape.
        share: From 0 to 1.

    Raises:
        InputError: If the share is not.
    """
    if not 0 <= share <= 1:
        raise InputError(f"share is {share}; expected a number from 0 to 1.")
    return math.sqrt(share) * first + math.sqrt(1 - share) * second


def sphere_section(
    noisy: Tensor,
    perturbation: Tensor,
    first: Tensor,
    second: Tensor,
    angles: Tensor,
    *,
    radius: float | None = None,
) -> Tensor:
    """Points of the three-dimensional cross-section of an image's neighbourhood (eq. 11).

    They lie on a sphere about the noisy image, in the space spanned by the attack's perturbation v
    and two noises n1, n2, made orthonormal in the order n1, n2, v. Nothing is clipped.

    Args:
        noisy: The sphere's centre, (C, H, W).
        perturbation: v, of the same shape.
        first: n1, of the same shape: the noise of the noisy image.
        second: n2, of the same shape: another noise.
        angles: (K, 2): longitude in the plane of n1 and n2, latitude towards v, in radians.
        radius: Of the sphere; by default the attack's length, the norm of v.

    Returns:
        (K, C, H, W).

    Raises:
        InputError: If the three do not span three dimensions.
    """
    flat = torch.stack([first.flatten(), second.flatten(), perturbation.flatten()]).double()
    basis, weights = torch.linalg.qr(flat.T)
    lengths = weights.diagonal()
    if bool((lengths.abs() < 1e-9 * flat.norm(dim=1)).any()):
        raise InputError("v, n1 and n2 lie in one plane; expected three independent directions.")
    basis = basis * lengths.sign()
    longitude, latitude = angles.double().unbind(1)
    points = torch.stack(
        [
            latitude.cos() * longitude.cos(),
            latitude.cos() * longitude.sin(),
            latitude.sin(),
        ],
        dim=1,
    )
    length = float(perturbation.norm()) if radius is None else radius
    return noisy + (length * points @ basis.T).to(noisy.dtype).view(len(angles), *noisy.shape)

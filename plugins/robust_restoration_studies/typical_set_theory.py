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


def typicality_under_linf(eps: float, eta: float, sigma: float) -> float:
    """Theorem 3.20: the same as `typicality_under_l2` for |d|_inf <= eta, for large d.

    eps'' = eps + (eta / sigma) sqrt(2 / pi) + eta^2 / (2 sigma^2), as the mean of |n_i| over many
    values is sigma sqrt(2 / pi).
    """
    return eps + eta / sigma * math.sqrt(2 / math.pi) + eta**2 / (2 * sigma**2)


def log_volume_bound(eps: float, d: int, sigma: float) -> float:
    """The logarithm of the most that the typical set's volume can be, d (h + eps)."""
    return d * (entropy(sigma) + eps)


def equivalent_edge(sigma: float) -> float:
    """The edge of the cube with the typical set's volume as eps tends to 0, sqrt(2 pi e) sigma."""
    return math.sqrt(2 * math.pi * math.e) * sigma


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
    perturbation: Tensor, first: Tensor, second: Tensor, angles: Tensor, radius: float | None = None
) -> Tensor:
    """Points of the three-dimensional cross-section of noise space that eq. 11 draws.

    The section is spanned by the attack's perturbation v and two noises n1, n2, made orthonormal
    in the order n1, n2, v.

    Args:
        perturbation: v, (C, H, W).
        first: n1, of the same shape.
        second: n2, of the same shape.
        angles: (K, 2): longitude in the plane of n1 and n2, latitude towards v, in radians.
        radius: Of the sphere; by default the norm of n1.

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
    where = torch.stack(
        [
            latitude.cos() * longitude.cos(),
            latitude.cos() * longitude.sin(),
            latitude.sin(),
        ],
        dim=1,
    )
    scale = float(first.norm()) if radius is None else radius
    return (scale * where @ basis.T).to(first.dtype).view(len(angles), *first.shape)

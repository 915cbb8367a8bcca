"""What counts of draws say of a probability."""

from __future__ import annotations

from scipy.stats import beta, binomtest

from robust_restoration.errors import InputError


def lower_bound(successes: int, draws: int, alpha: float) -> float:
    """The one-sided Clopper-Pearson bound: with probability 1 - alpha, p is at least this.

    It is exact: over all draws, the bound exceeds the true p at most a share alpha of the time,
    whatever p is (Clopper and Pearson, Biometrika 1934).

    Args:
        successes: How many of the draws succeeded.
        draws: How many there were, at least 1.
        alpha: The probability of being wrong, between 0 and 1.

    Returns:
        A probability; 0 where nothing succeeded.

    Raises:
        InputError: If the counts or alpha are impossible.
    """
    if not (draws >= 1 and 0 <= successes <= draws and 0 < alpha < 1):
        raise InputError(
            f"There are {successes} successes in {draws} draws and alpha is {alpha}; expected 0 to "
            "all of at least one draw, and alpha between 0 and 1, such as 0.001."
        )
    return 0.0 if successes == 0 else float(beta.ppf(alpha, successes, draws - successes + 1))


def leads(first: int, second: int, alpha: float) -> bool:
    """Whether the first class is drawn more often than the second, at significance alpha.

    A two-sided binomial test of equal odds (Hung and Fithian, 2019), which PREDICT takes.

    Args:
        first: Draws of the most frequent class.
        second: Draws of the second most frequent one.
        alpha: The probability of naming a class that is not the most likely one.
    """
    draws = first + second
    return draws > 0 and float(binomtest(first, draws, 0.5).pvalue) <= alpha

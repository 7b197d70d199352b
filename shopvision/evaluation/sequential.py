"""Intervals of a difference that hold however often one looks: for experiments that are watched while they run."""

from __future__ import annotations

import math
from dataclasses import dataclass

ALPHA = 0.05
TAU = 0.02  # standard deviation of the differences expected; other values stay valid and are only wider
LEAST_SEEN, LEAST_DONE = (
    100,
    10,
)  # of each arm, and of those who did and did not; below, a rate is no normal one


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of two rates, with an interval that is valid at every time at once.

    Args:
        value: ours less theirs.
        low, high: nan while there is too little to say.
        chance: always-valid p-value that there is no difference; 1 while there is too little.
    """

    value: float
    low: float
    high: float
    chance: float

    @property
    def sure(self) -> bool:
        """The interval leaves nought out."""
        return self.low > 0 or self.high < 0


def difference(
    ours: tuple[int, int], theirs: tuple[int, int], *, alpha: float = ALPHA, tau: float = TAU
) -> Difference:
    """Difference of two rates by a mixture sequential probability ratio test.

    With ``d = x/n - y/m`` and ``V = p(1-p)/n + q(1-q)/m`` the ratio against a true difference ``t``, mixed over
    a normal prior of deviation ``tau``, is

        L(t) = sqrt(V / (V + tau^2)) * exp(tau^2 (d - t)^2 / (2 V (V + tau^2))),

    and, whatever the true one is, it ever exceeds ``1 / alpha`` with probability at most ``alpha``. So at all
    times at once the interval is ``d +- sqrt(V (V + tau^2) / tau^2 * (2 ln(1/alpha) + ln((V + tau^2) / V)))``,
    and the p-value is ``min(1, 1 / L(0))``. Rates are taken to be normal, which ``LEAST_SEEN`` and
    ``LEAST_DONE`` see to.

    Args:
        ours, theirs: how many did it, of how many.
        alpha: share of experiments without a difference in which the interval may ever leave it out.

    Source: Johari, Koomen, Pekelis & Walsh, "Always valid inference: continuous monitoring of A/B tests",
    Operations Research 2022; Robbins, "Statistical methods related to the law of the iterated logarithm", 1970.
    """
    (x, n), (y, m) = ours, theirs
    nothing = float("nan")
    if not n or not m:
        return Difference(nothing, nothing, nothing, 1.0)
    p, q = x / n, y / m
    d = p - q
    few = min(n, m) < LEAST_SEEN or min(x, y, n - x, m - y) < LEAST_DONE
    if few:
        return Difference(d, nothing, nothing, 1.0)
    v, t2 = p * (1 - p) / n + q * (1 - q) / m, tau**2
    half = math.sqrt(v * (v + t2) / t2 * (2 * math.log(1 / alpha) + math.log((v + t2) / v)))
    ratio = math.log(v / (v + t2)) / 2 + t2 * d**2 / (2 * v * (v + t2))
    return Difference(d, d - half, d + half, math.exp(min(0.0, -ratio)))

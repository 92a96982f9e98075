"""Blends asked for by predicted gains: a softmax over single adapters, thinned to a few.

A blend can be scored only where it was sung, so the nearest composition of the table stands for what is asked for, and
where none is near, nothing is asked for. Blends of the table are candidates like any other anyway; this is about
whether mixing *by the prediction* pays beyond picking one candidate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from adapters.composition import parse_composition
from eval.resampling import Estimate

MOST_ADAPTERS = 3
#: Smaller shares are left out: they change little and cost an adapter.
LEAST_SHARE = 0.15
#: Sum of differences of weights up to which a measured composition stands for the one asked for.
NEAR = 0.25
#: In capped WER: a gain smaller by this weighs 1/e.
TEMPERATURES = (0.01, 0.03, 0.1, 0.3)


@dataclass(frozen=True, eq=False)
class Mixer:
    """``adapters``: names; ``weights`` [C, adapters]: of every composition; ``pure`` [C]: the base model and single
    adapters at weight 1, what is mixed; ``temperature``: in capped WER, the lower the fewer are mixed."""

    adapters: tuple[str, ...]
    weights: NDArray[np.float64]
    pure: NDArray[np.bool_]
    temperature: float

    def ask(self, gains: NDArray[np.float64], able: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """Weights of adapters for predicted gains [n, C], [n, adapters]; what the base model gets is missing to 1.

        Args:
            able: [C], False where a composition cannot be had; one that is pure must be.
        """
        pure = self.pure if able is None else self.pure & able
        shares = softmax(gains[:, pure] / self.temperature, axis=1)
        ranks = (-shares).argsort(1, kind="stable").argsort(1)
        shares = np.where((shares >= LEAST_SHARE) & (ranks < MOST_ADAPTERS) | (ranks == 0), shares, 0)
        asked: NDArray[np.float64] = shares / shares.sum(1, keepdims=True) @ self.weights[pure]
        return asked

    def mix(
        self, gains: NDArray[np.float64], able: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Column of the measured composition nearest to what is asked for, and whether it is near enough, [n] each."""
        distances = np.abs(self.ask(gains, able)[:, None] - self.weights).sum(-1)  # [n, C]
        nearest: NDArray[np.intp] = distances.argmin(1)
        return nearest, distances.min(1) <= NEAR + 1e-9


def make_mixer(compositions: Sequence[str], temperature: float) -> Mixer:
    """The mixer of some compositions' single adapters."""
    parts = [parse_composition(name) for name in compositions]
    adapters = tuple(sorted({adapter for part in parts for adapter in part}))
    weights = np.array([[part.get(adapter, 0.0) for adapter in adapters] for part in parts]).reshape(len(parts), -1)
    pure = np.array([not part or list(part.values()) == [1.0] for part in parts])
    return Mixer(adapters, weights, pure, temperature)


def fit_mixer(compositions: Sequence[str], gains: NDArray[np.float64], rates: NDArray[np.float64]) -> Mixer | None:
    """The mixer whose temperature gives the lowest WER on prompts that the predictions were made without.

    Args:
        gains: predicted for prompts held out in fitting, [n, C].
        rates: capped WER of these, [n, C].

    Returns:
        None where no blend of two of the single adapters was measured.
    """
    parts = [parse_composition(name) for name in compositions]
    mixers = [make_mixer(compositions, temperature) for temperature in TEMPERATURES]
    pure = mixers[0].pure
    single = {next(iter(part)) for part, plain in zip(parts, pure, strict=True) if plain and part}
    if not any(len(part) > 1 and set(part) <= single for part in parts):
        return None

    def cost(mixer: Mixer) -> float:
        columns, told = mixer.mix(gains)
        best = np.where(pure, gains, -np.inf).argmax(1)  # what is not measured falls back on the best single one
        return float(rates[np.arange(len(rates)), np.where(told, columns, best)].mean())

    return min(mixers, key=cost)


def describe_blending(gain: Estimate, asked: float, signal: bool) -> tuple[bool, str]:
    """Whether the router mixes, and the sentence with the figure: it does where mixing is shown to beat picking.

    Args:
        gain: the router's WER less that of blends.
        asked: share of prompts for which what mixing asked for was measured.
        signal: whether anything tells prompts apart; otherwise the default is sung, and nothing to mix by.
    """
    low, high = gain.low, gain.high
    better = low is not None and low > 0
    if better:
        end = "so it is on." if signal else "but nothing tells prompts apart to mix by, so it is off."
    else:
        end = "not shown to be better, so it is off."
    interval = "" if low is None or high is None else f", 95 % interval {100 * low:+.1f} to {100 * high:+.1f}"
    return better and signal, (
        f"Mixing adapters by predicted gain wins {100 * gain.value:+.1f} points of WER over picking one "
        f"composition{interval} (the blend asked for was measured for {100 * asked:.0f} % of prompts): {end}"
    )


NO_BLENDS = "No blends of the single adapters were measured, so none are asked for."

"""What all policies have in common: how a composition's mean gain is shrunk, and what is left for features to tell.

A prediction goes back to the composition's mean over prompts where features tell nothing, and that mean goes to zero as
its noise demands. Compositions are fitted one by one, each on the rows that know its gain. Votes move means, but how
far prompts differ is for measured rows to say: many votes for one gain would make all look alike. Prompts of one genre
are alike, so a mean is as sure as its genres are many, not its prompts. Knows no sklearn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from router.examples import LEAST_VARIANCE, Targets
from router.features import Features
from router.policies.space import Space, fit_space

#: What :meth:`Policy._relate` gives of n prompts to the mean and the variance of what they deviate, [n] each; of that
#: variance, what no feature tells is a part.
Deviation = Callable[[NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]]


@dataclass(frozen=True, eq=False)
class Prediction:
    """Of n prompts. ``mean`` [n, C]: expected gain over the default, 0 for itself; ``sd`` [n, C]: how far its true gain
    may be from that, by what was not learnt and by what no feature tells, without the luck of single songs; ``level``
    [n]: the default's expected capped WER."""

    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    level: NDArray[np.float64]

    @property
    def wer(self) -> NDArray[np.float64]:
        """Expected capped WER of every composition, [n, C]."""
        return np.clip(self.level[:, None] - self.mean, 0.0, 1.0)


@dataclass(frozen=True, eq=False)
class Column:
    """One composition's gains on the rows that know them: ``rows`` of the features, ``deviations`` from the mean.

    ``noise``: variance by the luck of seeds, per row; ``measured``: which rows are no votes; ``own``: variance of true
    gains between prompts, that between genres in it. ``shrunk``: the mean drawn to zero, ``doubt`` its variance.
    """

    rows: NDArray[np.intp]
    deviations: NDArray[np.float64]
    noise: NDArray[np.float64]
    measured: NDArray[np.bool_]
    own: float
    shrunk: float
    doubt: float


class Policy(ABC):
    """Predicts gains; to be fitted first. Without settings, fitting searches for them by folds of whole groups."""

    name: ClassVar[str]

    def __init__(self, settings: Mapping[str, Any] | None = None) -> None:
        self._settings = None if settings is None else dict(settings)

    @classmethod
    def with_settings(cls, settings: Mapping[str, Any]) -> Self:
        """One that fits without searching, and so always to the same."""
        return cls(settings)

    @classmethod
    @abstractmethod
    def propose(cls, features: Features, targets: Targets) -> Sequence[dict[str, Any]]:
        """Settings worth trying on such examples, plainest first."""

    @abstractmethod
    def _deviate(self, places: NDArray[np.float64], column: Column) -> Deviation:
        """Fit one column; ``places`` are the weighed coordinates of its rows."""

    def _relate(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """What all columns' deviations are told of prompts at ``places``: these, unless columns share some work."""
        return places

    def settings(self) -> dict[str, Any]:
        """Hyperparameters as JSON.

        Raises:
            ValueError: there are none yet.
        """
        if self._settings is None:
            raise ValueError(f"the policy {self.name!r} has no settings before it is fitted")
        return dict(self._settings)

    def fit(self, features: Features, targets: Targets, space: Space | None = None) -> Self:
        """Fit all compositions, and the level of the default.

        Args:
            space: that of these features, where it is known already.
        """
        if self._settings is None:
            from router.policies.search import search  # which fits policies itself

            self._settings = search(type(self), features, targets).settings
        measured = targets.measured if targets.measured.any() else np.ones(len(targets), dtype=bool)
        self._space = space or fit_space(features.select(measured))
        self._places = places = self._place(features)
        groups = number_groups(targets)
        columns = [
            None
            if c == targets.default
            else make_column(targets.gains[:, c], targets.noise[:, c], targets.measured, groups)
            for c in range(targets.gains.shape[1])
        ]
        known = [column for column in columns if column is not None and len(column.rows)]
        wide = float(np.mean([c.shrunk**2 + c.own for c in known])) if known else 0.0
        self._columns: list[tuple[float, float, Deviation] | None] = []
        for column in columns:
            if column is None:
                self._columns.append(None)
            elif not len(column.rows):  # nobody knows: as the others are, on the whole
                self._columns.append((0.0, LEAST_VARIANCE, deviate_nowhere(wide)))
            else:
                found = self._deviate(places[column.rows], column)
                self._columns.append((column.shrunk, column.doubt, found))
        self._level = self._fit_level(places, targets)
        return self

    def predict(self, features: Features) -> Prediction:
        """Gains of prompts; to be fitted first."""
        told = self._relate(self._place(features))
        mean = np.zeros((len(features), len(self._columns)))
        variance = np.zeros_like(mean)
        for c, column in enumerate(self._columns):
            if column is not None:
                shrunk, doubt, deviation = column
                moved, unsure = deviation(told)
                mean[:, c], variance[:, c] = shrunk + moved, doubt + unsure
        base, deviation = self._level
        return Prediction(mean, np.sqrt(variance), np.clip(base + deviation(told)[0], 0.0, 1.0))

    def _place(self, features: Features) -> NDArray[np.float64]:
        assert self._settings is not None
        return self._space.place(features, float(self._settings.get("lyrics", 0.0)))

    def _fit_level(self, places: NDArray[np.float64], targets: Targets) -> tuple[float, Deviation]:
        """The default's WER, fitted like a gain but never drawn to zero. A difference of two songs is about twice as
        noisy as one song, hence the half."""
        others = np.delete(targets.noise, targets.default, axis=1)
        there = np.isfinite(others)
        noise = np.where(there, others, 0.0).sum(1) / np.maximum(there.sum(1), 1) / 2
        column = make_column(targets.level, np.maximum(noise, LEAST_VARIANCE), groups=number_groups(targets))
        if not len(column.rows):
            return 0.5, deviate_nowhere(0.0)
        mean = float(targets.level[column.rows[0]] - column.deviations[0])
        return mean, self._deviate(places[column.rows], column)


def make_column(
    gains: NDArray[np.float64],
    noise: NDArray[np.float64],
    measured: NDArray[np.bool_] | None = None,
    groups: NDArray[np.intp] | None = None,
) -> Column:
    """A composition's known gains, [P] each, parted into mean and deviations.

    Random effects of genres and of prompts in them: the variance of true gains is what the noise leaves unexplained
    (DerSimonian and Laird 1986), within genres and then between their means. Genres weigh the inverse of the variance
    of their means, and the mean over them is drawn to zero by its own squared size against its variance (positive-part
    James-Stein).

    Args:
        measured: rows that tell the variance between prompts, [P]; all unless given.
        groups: number of each row's genre, [P]; every row by itself unless given.
    """
    rows = np.flatnonzero(np.isfinite(gains) & np.isfinite(noise))
    known, luck = gains[rows], noise[rows]
    sung = np.ones(len(rows), dtype=bool) if measured is None else measured[rows]
    if not len(rows):
        return Column(rows, known, luck, sung, 0.0, 0.0, 0.0)
    _, owner = np.unique(rows if groups is None else groups[rows], return_inverse=True)
    within, between = _part_spread(known[sung], luck[sung], owner[sung])
    means, variances = _pool(known, luck + within, owner)
    weights = 1 / (variances + between + LEAST_VARIANCE)
    mean, doubt = float(weights @ means / weights.sum()), float(1 / weights.sum())
    kept = max(0.0, 1 - doubt / mean**2) if mean else 0.0
    return Column(rows, known - mean, luck, sung, within + between, kept * mean, doubt)


def _part_spread(
    gains: NDArray[np.float64], noise: NDArray[np.float64], owner: NDArray[np.intp]
) -> tuple[float, float]:
    """Variance of true gains within genres, and between them; where no genre has two rows, all is between."""
    if not len(gains):
        return 0.0, 0.0
    within = estimate_spread(gains, noise, owner)
    return within, estimate_spread(*_pool(gains, noise + within, owner))


def _pool(
    gains: NDArray[np.float64], variances: NDArray[np.float64], owner: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean of each genre and its variance, [genres that have rows] each."""
    weights = 1 / np.maximum(variances, LEAST_VARIANCE / 4)
    sums = np.bincount(owner, weights)
    there = sums > 0
    return np.bincount(owner, weights * gains)[there] / sums[there], 1 / sums[there]


def estimate_spread(
    gains: NDArray[np.float64], noise: NDArray[np.float64], owner: NDArray[np.intp] | None = None
) -> float:
    """Variance of true gains between rows, by moments: what is left of Cochran's Q (DerSimonian and Laird 1986).

    Args:
        owner: number of each row's genre, [P]: the variance is then that within genres.
    """
    owner = np.zeros(len(gains), dtype=np.intp) if owner is None else owner
    weights = 1 / np.maximum(noise, LEAST_VARIANCE / 4)
    sums = np.maximum(np.bincount(owner, weights), 1e-300)
    missed = gains - (np.bincount(owner, weights * gains) / sums)[owner]
    degrees = len(gains) - len(np.unique(owner))
    if degrees < 1:
        return 0.0
    surplus = float(weights @ missed**2) - degrees
    return max(0.0, surplus / float(weights.sum() - (np.bincount(owner, weights**2) / sums).sum()))


def number_groups(targets: Targets) -> NDArray[np.intp]:
    """A number for each row's group, [P]."""
    if not targets.groups:
        return np.arange(len(targets))
    numbers = {name: i for i, name in enumerate(dict.fromkeys(targets.groups))}
    return np.array([numbers[name] for name in targets.groups], dtype=np.intp)


def deviate_nowhere(own: float) -> Deviation:
    """Every prompt as the composition's mean says, give or take what prompts have of their own."""
    return lambda told: (np.zeros(len(told)), np.full(len(told), own))

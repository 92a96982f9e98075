"""Settings of a policy, by how well it predicts groups it was not fitted to; and which policy does that best.

Folds keep groups (genres) whole, since prompts of one genre are alike and a router is asked about others. The figure
is the squared error of gains, each weighed by the inverse of its variance: what a choice gains would be nearer to the
aim, but is so noisy that it would choose by luck. Knows nothing of the outer folds that score what is chosen here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router.examples import LEAST_VARIANCE, Targets
from router.features import Features
from router.policies import POLICIES
from router.policies.base import Policy, Prediction, estimate_spread, number_groups
from router.policies.space import Space, fit_space

FOLDS = 5
#: Of fewer groups none is enough to say that one policy beats another.
MIN_GROUPS = 4


@dataclass(frozen=True, eq=False)
class Searched:
    """``settings`` of the lowest error; ``errors`` [groups]: theirs, summing to the mean over all gains, empty where
    there were no two groups to search by; ``held``: predictions of every row by a fit without its group, or None."""

    settings: dict[str, Any]
    errors: NDArray[np.float64]
    held: Prediction | None

    @property
    def error(self) -> float:
        """Mean weighed squared error; infinite where nothing was held out."""
        return float(self.errors.sum()) if len(self.errors) else float("inf")


@dataclass(frozen=True, eq=False)
class Selection:
    """``name`` of the policy that is the router, and what was found for each policy asked about."""

    name: str
    searched: dict[str, Searched]

    @property
    def settings(self) -> dict[str, Any]:
        """Those of the policy selected."""
        return self.searched[self.name].settings


Fold = tuple[NDArray[np.intp], NDArray[np.intp], Space]


def search(
    policy: type[Policy], features: Features, targets: Targets, seed: int = 0, folds: Sequence[Fold] | None = None
) -> Searched:
    """The best of the settings that a policy proposes.

    Args:
        folds: rows to fit, rows to predict, space of the former; drawn by ``seed`` unless given.
    """
    proposed = policy.propose(features, targets)
    folds = tuple(part_groups(features, targets, seed)) if folds is None else folds
    if not folds:
        return Searched(proposed[0], np.zeros(0), None)
    weights = _weigh(targets)
    owner = number_groups(targets)
    best: Searched | None = None
    for settings in proposed:
        held = _hold_out(policy, settings, features, targets, folds)
        wrong = np.where(weights > 0, weights * (np.nan_to_num(targets.gains) - held.mean) ** 2, 0.0).sum(1)
        tried = Searched(settings, np.bincount(owner, wrong).astype(np.float64), held)
        if best is None or tried.error < best.error - 1e-12:
            best = tried
    assert best is not None
    return best


def select_policy(
    features: Features, targets: Targets, names: Sequence[str] = tuple(POLICIES), seed: int = 0
) -> Selection:
    """The policy that predicts best, the first of ``names`` unless one is better by more than one standard error of
    the difference over groups (Breiman et al. 1984, sec. 3.4.3)."""
    folds = tuple(part_groups(features, targets, seed))
    searched = {name: search(POLICIES[name], features, targets, seed, folds) for name in names}
    plain, *others = names
    better = [name for name in others if _surpasses(searched[name].errors, searched[plain].errors)]
    return Selection(min(better, key=lambda name: searched[name].error, default=plain), searched)


def part_groups(features: Features, targets: Targets, seed: int = 0, most: int = FOLDS) -> Iterator[Fold]:
    """Folds of whole groups; none where there are no two groups."""
    from sklearn.model_selection import GroupKFold

    groups = number_groups(targets)
    count = len(set(groups.tolist()))
    if count < 2:
        return
    parts = GroupKFold(min(most, count), shuffle=True, random_state=seed)
    for fitted, held in parts.split(groups, groups=groups):
        yield fitted, held, fit_space(features.select(fitted))


def _hold_out(
    policy: type[Policy], settings: dict[str, Any], features: Features, targets: Targets, folds: Sequence[Fold]
) -> Prediction:
    from sklearn import config_context

    mean, sd = np.zeros(targets.gains.shape), np.zeros(targets.gains.shape)
    level = np.zeros(len(targets))
    for fitted, held, space in folds:
        with config_context(assume_finite=True, skip_parameter_validation=True):  # half of the time of small fits
            made = policy.with_settings(settings).fit(features.select(fitted), targets.select(fitted), space)
            found = made.predict(features.select(held))
        mean[held], sd[held], level[held] = found.mean, found.sd, found.level
    return Prediction(mean, sd, level)


def _weigh(targets: Targets) -> NDArray[np.float64]:
    """Inverse variance of each gain about its expectation [P, C], sum 1; 0 where it is unknown or the default's."""
    weights = np.zeros_like(targets.gains)
    for c in range(targets.gains.shape[1]):
        known = np.isfinite(targets.gains[:, c]) & np.isfinite(targets.noise[:, c])
        if c != targets.default and known.any():
            sung = known & targets.measured
            own = estimate_spread(targets.gains[sung, c], targets.noise[sung, c])
            weights[known, c] = 1 / (targets.noise[known, c] + own + LEAST_VARIANCE)
    return weights / max(float(weights.sum()), 1e-300)


def _surpasses(errors: NDArray[np.float64], plain: NDArray[np.float64]) -> bool:
    ahead = plain - errors
    if len(ahead) < MIN_GROUPS:
        return False
    return bool(ahead.sum() > np.sqrt(len(ahead)) * ahead.std(ddof=1))

"""Routers that must gain nothing: fitted to prompts whose features were dealt out anew.

What such a router gains is luck, and what a real one gains must stand out from it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from router.choosing import choose
from router.examples import Examples, find_default, pair
from router.features import Features
from router.policies import POLICIES
from router.policies.search import Selection

PERMUTATIONS = 20
FOLDS = 10


def permute_labels(
    examples: Examples,
    features: Features,
    selection: Selection,
    rates: NDArray[np.float64],
    confidence: float,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> tuple[float, ...]:
    """Gain over the best single composition of a router with shuffled prompts, in folds of whole genres, each time.

    Settings are those found for the real prompts, so nothing is searched. Where the policy selected looks at no
    features, the next best one stands in.

    Args:
        selection: made of all examples.
        rates: uncapped, what gains are told in, [C, P]; NaN of prompts that the judge did not hear.
    """
    from sklearn import config_context
    from sklearn.model_selection import GroupKFold

    looking = [name for name in selection.searched if name != "best single"]
    name = selection.name if selection.name in looking else min(looking, key=lambda n: selection.searched[n].error)
    settings = selection.searched[name].settings
    genres = list(examples.genres)
    parts = list(GroupKFold(min(FOLDS, len(set(genres))), shuffle=True, random_state=seed).split(genres, groups=genres))
    rng = np.random.default_rng(seed)
    single = rates[find_default(examples)]
    gains = []
    for _ in range(permutations):
        dealt = features.select(rng.permutation(len(features)))
        gained = np.zeros(len(genres))
        for fitted, held in parts:
            default = find_default(examples, fitted)
            with config_context(assume_finite=True, skip_parameter_validation=True):
                policy = POLICIES[name].with_settings(settings)
                policy.fit(dealt.select(fitted), pair(examples, default, fitted))
                picks, _ = choose(policy.predict(dealt.select(held)), default, confidence)
            gained[held] = single[held] - rates[picks, held]
        gains.append(float(np.nanmean(gained)))
    return tuple(gains)

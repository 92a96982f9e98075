"""Routers that must gain nothing: fitted to prompts of genres whose features were dealt to other genres.

What such a router gains is luck, and what a real one gains must stand out from it. Whole genres are dealt: prompts of
one genre are alike in what they need and in what they say, and a router of shuffled prompts would lose not only what
the one tells of the other, but also that, and so look worse than luck is.
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


def permute_labels(
    examples: Examples,
    features: Features,
    selection: Selection,
    selected: NDArray[np.str_],
    rates: NDArray[np.float64],
    opponent: int,
    confidence: float,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> tuple[float, ...]:
    """Gain over the opponent of a router with features dealt anew, leaving out every genre, each time.

    It is the router itself: without a genre it follows the policy that was selected without it, and only the settings
    are those that all real prompts gave, so that nothing is searched. Where that router looks at no features there is
    nothing to deal, and no gain is given.

    Args:
        selection: made of all examples.
        selected: policy selected without each prompt's genre, [P].
        rates: uncapped, what gains are told in, [C, P]; NaN of prompts that the judge did not hear.
        opponent: column of the best single composition.
    """
    from sklearn import config_context

    if selection.name == "best single":
        return ()
    genres = np.array(examples.genres)
    rng = np.random.default_rng(seed)
    gains = []
    for _ in range(permutations):
        dealt = features.select(deal_genres(examples.genres, rng))
        gained = np.zeros(len(genres))
        for genre in dict.fromkeys(examples.genres):
            held = genres == genre
            default = find_default(examples, ~held)
            name = str(selected[held][0])
            with config_context(assume_finite=True, skip_parameter_validation=True):
                policy = POLICIES[name].with_settings(selection.searched[name].settings)
                policy.fit(dealt.select(~held), pair(examples, default, ~held))
                picks, _ = choose(policy.predict(dealt.select(held)), default, confidence)
            gained[held] = rates[opponent, held] - rates[picks, held]
        gains.append(float(np.nanmean(gained)))
    return tuple(gains)


def deal_genres(genres: tuple[str, ...], rng: np.random.Generator) -> NDArray[np.intp]:
    """For each prompt one of another genre, [P]: every genre gets the prompts of one other, again from the first where
    that has fewer."""
    owner = np.array(genres)
    names = rng.permutation(np.unique(owner))
    dealt = np.zeros(len(owner), dtype=np.intp)
    for name, other in zip(names, np.roll(names, 1), strict=True):
        own = np.flatnonzero(owner == name)
        dealt[own] = np.resize(np.flatnonzero(owner == other), len(own))
    return dealt

"""What a router would have chosen for prompts of a genre it never saw: one fit for each genre left out.

All that is chosen is chosen without that genre: the default, scales of features, settings, which policy is the router,
the temperature of blends. Knows no uncapped rate and no judge but the one the examples are of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router.blends import Mixer, fit_mixer
from router.choosing import choose
from router.examples import Examples, find_default, pair
from router.features import Features
from router.policies import POLICIES, Prediction
from router.policies.search import Selection, select_policy

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Picks:
    """One way of choosing, of P prompts and C compositions. ``choice`` [P]: columns; ``mean`` and ``chance`` [P, C] of
    the gain over the fold's default; ``wer`` [P, C]: expected capped WER."""

    choice: NDArray[np.intp]
    mean: NDArray[np.float64]
    chance: NDArray[np.float64]
    wer: NDArray[np.float64]

    def at(self, default: NDArray[np.intp], threshold: float) -> NDArray[np.intp]:
        """What would be chosen with another confidence, [P]."""
        credible = np.where((self.chance >= threshold) & (self.mean > 0), self.mean, -np.inf)
        return np.where(np.isfinite(credible).any(1), credible.argmax(1), default)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """``default`` [P]: column of the best single composition, chosen without the prompt's genre. ``policies``: by name.
    ``router``: the policy that was selected in each fold, its name in ``selected`` [P]. ``blended`` [P]: columns chosen
    where mixing leads from the router's pick to another composition than the default whose own gain is credible, else
    that pick, None where no blends were measured; ``asked`` [P]: whether what mixing asked for was measured."""

    default: NDArray[np.intp]
    policies: dict[str, Picks]
    router: Picks
    selected: NDArray[np.str_]
    blended: NDArray[np.intp] | None
    asked: NDArray[np.bool_]


def hold_out_genres(
    examples: Examples, features: Features, confidence: float, seed: int = 0, progress: Progress | None = None
) -> HeldOut:
    """Fit without each genre in turn, and choose for it.

    Args:
        examples: of the compositions that may be chosen, of two genres or more.
        progress: told how many folds are done, and of how many.
    """
    genres = np.array(examples.genres)
    names = tuple(dict.fromkeys(examples.genres))
    shape = (len(genres), len(examples.compositions))
    default, selected = np.zeros(len(genres), dtype=np.intp), np.full(len(genres), "", dtype="U32")
    found = {name: _empty(shape) for name in (*POLICIES, "router")}
    blended, asked, mixes = np.zeros(len(genres), dtype=np.intp), np.zeros(len(genres), dtype=bool), False
    for done, genre in enumerate(names):
        held = genres == genre
        fitted = ~held
        best = find_default(examples, fitted)
        targets = pair(examples, best, fitted)
        known = features.select(fitted)
        selection = select_policy(known, targets, seed=seed)
        default[held], selected[held] = best, selection.name
        for name in POLICIES:
            policy = POLICIES[name].with_settings(selection.searched[name].settings).fit(known, targets)
            prediction = policy.predict(features.select(held))
            _keep(found[name], held, prediction, best, confidence)
            if name == selection.name:
                _keep(found["router"], held, prediction, best, confidence)
                blended[held] = found["router"].choice[held]
                if mixer := mix_held(examples, fitted, selection):
                    mixes = True
                    columns, told = mixer.mix(prediction.mean)
                    asked[held] = told
                    chance = found["router"].chance[held][np.arange(len(columns)), columns]
                    away = told & (chance >= confidence) & (columns != best) & (blended[held] != best)
                    blended[held] = np.where(away, columns, blended[held])
        if progress is not None:
            progress(done + 1, len(names))
    router = found.pop("router")
    return HeldOut(default, found, router, selected, blended if mixes else None, asked)


def mix_held(examples: Examples, fitted: NDArray[np.bool_], selection: Selection) -> Mixer | None:
    """The mixer that suits what the policy selected predicted of prompts ``fitted`` [P] in folds of the search; None
    where no blends were measured, or nothing was searched."""
    held = selection.searched[selection.name].held
    return None if held is None else fit_mixer(examples.compositions, held.mean, examples.rates[:, fitted].T)


def _empty(shape: tuple[int, int]) -> Picks:
    return Picks(np.zeros(shape[0], dtype=np.intp), np.zeros(shape), np.zeros(shape), np.zeros(shape))


def _keep(picks: Picks, held: NDArray[np.bool_], prediction: Prediction, default: int, confidence: float) -> None:
    choice, chance = choose(prediction, default, confidence)
    picks.choice[held], picks.chance[held] = choice, chance
    picks.mean[held], picks.wer[held] = prediction.mean, prediction.wer

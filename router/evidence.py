"""What picks of people are worth to a fit: weak observations of gains, beside the measured ones.

Knows votes and the compositions of a table, no songs and no policy. What is left out is counted by its reason.

A vote says which of a few songs somebody liked best, and not how many words came through. So it says little: each of
its comparisons with the default stands for a gain of :data:`GAIN` (against the default) or minus that (for it), with
the variance

    NOISE * comparisons / (weight * share)

where ``comparisons`` is how many gains the one vote tells of (together they weigh as one: they share a song),
``weight`` is the caller's, and ``share`` is 1 for a blind vote and :data:`OPEN_SHARE` where names were seen. However
many votes agree, their mean is GAIN and no more. Two losers, or two compositions beside a default that was not among
the songs, say nothing about the default: of these no gain is made up.

GAIN is what an observer tells who feels differences as in Thurstone (1927): where true gains scatter by sd .0627, the
mean of those above zero is .0627 * sqrt(2 / pi) = .05. NOISE is four times the variance of one measured pair of songs
(sd .1 in capped WER on the embedded model): a sign is less than a number, and taste is not about words alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from adapters.composition import format_composition
from router.errors import RouterError
from router.feedback import Vote
from router.prompt import RouterPrompt

#: Gain in capped WER that a vote stands for, the variance of it at weight 1, and what a vote that was not blind counts.
GAIN, NOISE, OPEN_SHARE = 0.05, 0.04, 0.5
#: Beyond, a vote would say more than a few measured pairs of songs.
MAX_WEIGHT = 10.0

# Why a vote, or a part of one, is left out.
OFF = "picks are switched off (weight 0)"
OUTVOTED = "a later pick stands for the same comparison"
OTHER_MODEL = "sung by another song model"
WORDLESS = "sung without words"
NO_DEFAULT = "the default was not among the songs"
UNKNOWN_WINNER = "the winner is not among the compositions"
UNKNOWN_LOSERS = "none of the losers is among the compositions"
CHANGED = "an adapter is another one now, or gone"


class VoteRows(NamedTuple):
    """V votes as rows of a fit over C compositions.

    ``gains`` [V, C] in capped WER over the default, NaN where a vote says nothing, and so is ``noise`` [V, C], their
    variances; the column of the default is NaN, too. ``skipped``: votes left out, by reason.
    """

    texts: tuple[RouterPrompt, ...]
    gains: NDArray[np.float64]
    noise: NDArray[np.float64]
    skipped: Counter[str]

    def describe(self, weight: float) -> str:
        """One sentence on how many took part, and why others did not."""
        used, left = len(self.texts), self.skipped.total()
        told = f"{used:,} {'pick' if used == 1 else 'picks'} of people took part at weight {weight:g}"
        reasons = ", ".join(f"{reason}: {count:,}" for reason, count in self.skipped.most_common())
        return f"{told}; {left:,} did not ({reasons})" if left else told


def votes_to_rows(
    votes: Iterable[Vote],
    compositions: Sequence[str],
    default: int,
    weight: float,
    model_fingerprint: str,
    adapters: Mapping[str, str],
) -> VoteRows:
    """Votes as weak observations of gains over the default (formula above).

    Args:
        votes: in the order they were given; of several on one comparison the last one stands.
        compositions: names as in the table, [C].
        default: index of the default among them.
        weight: of one blind vote, 0 to :data:`MAX_WEIGHT`; at 1 it says a quarter of what a measured pair of songs
            does, at 0 none takes part.
        model_fingerprint: of the song model that the table was sung by.
        adapters: fingerprints of the table's adapters by name.

    Raises:
        RouterError: the weight is out of range, or there is no such default.
    """
    if not (math.isfinite(weight) and 0 <= weight <= MAX_WEIGHT):
        raise RouterError(f"picks cannot weigh {weight:g}: give 0 (off) to {MAX_WEIGHT:g}")
    if not 0 <= default < len(compositions):
        raise RouterError(
            f"the default is number {default} of {len(compositions)} compositions: give 0 to {len(compositions) - 1}"
        )
    given, skipped = list(votes), Counter[str]()
    if weight == 0:
        skipped.update([OFF] * len(given))
        given = []
    last = {vote.comparison: number for number, vote in enumerate(given)}
    texts, gains, noise = list[RouterPrompt](), list[NDArray[np.float64]](), list[NDArray[np.float64]]()
    for number, vote in enumerate(given):
        reason, told = OUTVOTED, dict[int, float]()
        if last[vote.comparison] == number:
            reason, told = _gains(vote, compositions, default, model_fingerprint, adapters)
        if not told:
            skipped[reason] += 1
            continue
        row, variance = np.full((2, len(compositions)), np.nan)
        share = 1.0 if vote.blind else OPEN_SHARE
        for column, gain in told.items():
            row[column], variance[column] = gain, NOISE * len(told) / (weight * share)
        texts.append(vote.prompt)
        gains.append(row)
        noise.append(variance)
    shape = (len(texts), len(compositions))
    return VoteRows(tuple(texts), np.array(gains).reshape(shape), np.array(noise).reshape(shape), skipped)


def _gains(
    vote: Vote,
    compositions: Sequence[str],
    default: int,
    model_fingerprint: str,
    adapters: Mapping[str, str],
) -> tuple[str, dict[int, float]]:
    """The gains a vote tells of by index of the composition, or the reason why it tells of none."""
    if vote.model_fingerprint != model_fingerprint:
        return OTHER_MODEL, {}
    if vote.prompt.instrumental:
        return WORDLESS, {}
    winner = format_composition(vote.winner)
    losers = {format_composition(composition): composition for composition in vote.losers}
    against = compositions[default]
    if winner != against and against not in losers:
        return NO_DEFAULT, {}
    if winner not in compositions:
        return UNKNOWN_WINNER, {}
    # Compared with the default: the winner that beat it, or all that it beat.
    beaten = {name: composition for name, composition in losers.items() if name in compositions}
    compared = beaten if winner == against else {winner: vote.winner}
    if not compared:
        return UNKNOWN_LOSERS, {}
    default_weights = vote.winner if winner == against else losers[against]
    same = {
        name
        for name, composition in compared.items()
        if all(
            adapter in adapters and vote.adapters.get(adapter) == adapters[adapter]
            for adapter in (*composition, *default_weights)
        )
    }
    gain = -GAIN if winner == against else GAIN
    return CHANGED, {compositions.index(name): gain for name in compared if name in same}

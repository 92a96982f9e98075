"""How long fitting a router takes, with everything that says what it is worth: on the real prompts and planted songs.

How long it takes depends on how many prompts, compositions and seeds there are, not on who sang them, so nothing is
sung for it: some compositions repair a third of the genres each, as strongly as asked for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.lattice import Lattice
from eval.prompts import Prompt, across_genres
from router.examples import Examples
from router.features import Featuriser
from router.held_out import Progress
from router.prompt import read_prompt
from router.sentences import SentenceModel
from router.validation import validate

JUDGES = ("selecting", "independent")
#: Seconds that fitting to 30 genres × 10 prompts × 7 compositions × 2 seeds may take.
TARGET = 120.0
WORDS = 24


@dataclass(frozen=True)
class Fitting:
    """``describing``: seconds for the prompts' features, ``fitting``: for everything after that."""

    prompts: int
    genres: int
    compositions: int
    seeds: int
    policy: str
    describing: float
    fitting: float

    @property
    def seconds(self) -> float:
        """Both together."""
        return self.describing + self.fitting


def time_fitting(
    prompts: Sequence[Prompt],
    sentences: SentenceModel,
    compositions: int = 7,
    seeds: int = 2,
    effect: float = 0.1,
    progress: Progress | None = None,
) -> Fitting:
    """Fit to songs of planted rates, the last composition being a control.

    Args:
        prompts: real ones, of two genres or more.
        compositions: base, adapters ``a1`` onwards, and the control; three at least.
        effect: WER that an adapter takes off the genres it repairs, and adds to the others.
    """
    examples, lattices = plant_songs(prompts, compositions, seeds, effect)
    start = time.perf_counter()
    features = Featuriser(sentences).describe(examples.texts)
    described = time.perf_counter()
    found = validate(
        examples, features, scoring=lattices, controls=(examples.compositions[-1],), progress=progress
    ).findings
    return Fitting(
        prompts=len(examples.texts),
        genres=len(set(examples.genres)),
        compositions=compositions,
        seeds=seeds,
        policy=found.policy,
        describing=described - start,
        fitting=time.perf_counter() - described,
    )


def plant_songs(
    prompts: Sequence[Prompt], compositions: int, seeds: int, effect: float
) -> tuple[Examples, dict[str, Lattice]]:
    """Examples as the first judge heard them, and what both heard: the same rates, other errors."""
    rng = np.random.default_rng(0)
    kept = across_genres(prompts)
    genres = tuple(prompt.genre for prompt in kept)
    kind = np.array([sorted(set(genres)).index(genre) % 3 for genre in genres])
    hard = rng.normal(0.3, 0.1, len(kept))
    turns = np.arange(compositions)[:, None]
    rates = hard + np.where(turns == 0, 0, np.where(turns % 3 == kind, -effect, effect))
    rates = np.clip(rates, 0.02, 0.98)[..., None].repeat(seeds, -1)
    names = ("base", *(f"a{n}=1" for n in range(1, compositions - 1)), "random=1")
    ids = tuple(prompt.id for prompt in kept)
    words = np.full(rates.shape, WORDS)
    lattices = {
        judge: Lattice(names, ids, genres, seeds, errors=rng.binomial(WORDS, rates), words=words) for judge in JUDGES
    }
    texts = tuple(read_prompt(prompt.caption, prompt.tags, prompt.lyrics) for prompt in kept)
    return Examples(JUDGES[0], texts, lattices[JUDGES[0]]), lattices

"""Lattices and tables with known error rates."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.lattice import Lattice
from eval.table import Table, make_heads, make_songs

JUDGE = "planted judge"
NAMES = ("base", "nolyrics", "nolyrics-asr", "lyrics", "lyrics-asr", "blend")


def lattice_of(
    errors: NDArray[Any] | list[Any],
    words: int | NDArray[np.int64] = 20,
    genres: tuple[str, ...] | None = None,
    compositions: tuple[str, ...] | None = None,
) -> Lattice:
    """Of errors [compositions, prompts, seeds]; every prompt a genre of its own unless told."""
    errors = np.asarray(errors)
    prompts = tuple(f"p{i}" for i in range(errors.shape[1]))
    counts = np.broadcast_to(words, errors.shape).astype(np.int64)
    names = compositions or NAMES[: len(errors)]
    return Lattice(names, prompts, genres or prompts, errors.shape[2], errors, counts)


def noisy(rates: NDArray[np.float64], seeds: int, rng: np.random.Generator, words: int = 24) -> Lattice:
    """Songs around true rates [compositions, prompts], spread more than words alone would spread them."""
    shape = (*rates.shape, seeds)
    own = rng.beta(*(np.broadcast_to(6 * r[..., None], shape) for r in (rates, 1 - rates)))
    return lattice_of(rng.binomial(words, own), words)


def row(prompt: str, seed: int, composition: str, wrong: int, words: int = 10, **other: Any) -> dict[str, Any]:
    """A song of a table in which ``wrong`` words are missing, and five times as many characters."""
    counts = dict.fromkeys(("hits", "substitutions", "insertions", "heard_words", "wer", "cer", "mer"), 0)
    return {
        **dict.fromkeys(("caption", "tags", "lyrics", "transcript", "failure"), ""),
        **dict.fromkeys(("audio_seconds", "judge_seconds"), 1.0),
        **counts,
        "prompt": prompt,
        "genre": prompt.partition("-")[0],
        "seed": seed,
        "composition": composition,
        "judge": JUDGE,
        "deletions": wrong,
        "reference_words": words,
        "character_errors": 5 * wrong,
        "reference_characters": 6 * words,
        **other,
    }


def table_of(rows: list[dict[str, Any]]) -> Table:
    """The table of some songs."""
    return Table(make_songs(rows), make_heads([]), {})


def table_from(lattice: Lattice) -> Table:
    """The table a counted lattice could be of."""
    return table_of(
        [
            row(prompt, s, name, int(lattice.errors[c, p, s]), int(lattice.words[c, p, s]), genre=lattice.genres[p])
            for p, prompt in enumerate(lattice.prompts)
            for s in range(lattice.seeds)
            for c, name in enumerate(lattice.compositions)
        ]
    )

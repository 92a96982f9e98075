"""The table of the study this project builds on: thirty genres, one song each, five variants, published as rates.

Without counts, a song weighs one word (see :class:`eval.lattice.Lattice`), so micro and macro rates are the same.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from adapters.errors import ChoirmasterError
from eval.lattice import Lattice

STUDY = Path(__file__).parent / "studies" / "wer_5way.csv"
JUDGE = "Whisper large-v3"
BASE = "baseline"
#: The study's names for the cells of its two by two: lyrics or not, sharpened or not.
STUDY_CELLS = {
    (False, False): "lora",
    (False, True): "lora_asr",
    (True, False): "lora_with_lyrics",
    (True, True): "lora_with_lyrics_asr",
}


class StudyError(ChoirmasterError):
    """A file of published rates cannot be used."""


def read_study(path: Path = STUDY) -> Lattice:
    """Published WER as a lattice of one seed: a row per genre, a column per composition beside ``genre`` and ``seed``.

    Raises:
        StudyError: the file cannot be read, lacks those columns, names a genre twice, or holds no rates.
    """
    try:
        frame = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise StudyError(f"the rates {path} cannot be read ({error}): give a CSV file") from error
    compositions = [str(name) for name in frame.columns if name not in ("genre", "seed")]
    if len(compositions) != len(frame.columns) - 2 or not compositions or not len(frame):
        raise StudyError(
            f"{path} needs a column genre, a column seed, one per composition, and rows: it has {_told(frame)}"
        )
    genres = tuple(map(str, frame["genre"]))
    if len(set(genres)) < len(genres):
        twice = next(genre for genre in genres if genres.count(genre) > 1)
        raise StudyError(f"{path} has the genre {twice!r} twice: give one row per genre")
    try:
        rates = frame[compositions].to_numpy(dtype=np.float64).T[..., None]
    except ValueError as error:
        raise StudyError(f"{path} holds something that is no number: {error}") from error
    if not (np.isfinite(rates).all() and (rates >= 0).all()):
        raise StudyError(f"{path} holds rates that are missing or below 0: give every song's WER as a fraction")
    return Lattice(
        tuple(compositions), genres, genres, 1, errors=rates, words=np.ones(rates.shape, dtype=np.int64), counted=False
    )


def _told(frame: pd.DataFrame) -> str:
    return f"{', '.join(map(str, frame.columns))} and {len(frame)} rows"

"""The published figures come out of the shipped table."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from eval.statistics import rank_standings
from eval.study import BASE, STUDY, StudyError, read_study


def test_means_of_the_study() -> None:
    found = rank_standings(read_study(), resamples=200)
    assert [s.composition for s in found] == [
        "baseline",
        "lora",
        "lora_asr",
        "lora_with_lyrics",
        "lora_with_lyrics_asr",
    ]
    assert [round(100 * s.macro.value, 2) for s in found] == [61.03, 46.51, 89.21, 47.14, 64.23]
    assert all(s.micro == s.macro for s in found)  # no counts, so every song weighs the same
    assert {s.songs for s in found} == {30}


def test_the_shipped_table() -> None:
    study = read_study()
    assert (study.seeds, study.dropped, study.counted, len(study.prompts)) == (1, 0, False, 30)
    assert study.prompts == study.genres and study.prompts[:2] == ("folk", "pop")
    assert BASE in study.compositions
    assert study.rates[1, 19, 0] == 2.3158  # uncapped
    np.testing.assert_array_equal(study.rates, study.errors)


def test_the_bytes_are_pinned() -> None:
    digest = hashlib.sha256(STUDY.read_bytes()).hexdigest()
    assert digest == "d78332de5e9c22c6e1c758c98357996c10201b8fa53bded8b14ebb54b61c9fe2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("", "cannot be read"),
        ("genre,base\nfolk,0.1\n", "needs a column genre, a column seed"),
        ("genre,seed\nfolk,1\n", "one per composition, and rows: it has genre, seed and 1 rows"),
        ("genre,seed,base\n", "0 rows"),
        ("genre,seed,base\nfolk,1,0.1\nfolk,2,0.1\n", "the genre 'folk' twice"),
        ("genre,seed,base\nfolk,1,loud\n", "no number"),
        ("genre,seed,base\nfolk,1,\n", "missing or below 0"),
        ("genre,seed,base\nfolk,1,-0.1\n", "missing or below 0"),
        ("genre,seed,base\nfolk,1,inf\n", "missing or below 0"),
    ],
)
def test_what_is_no_table_of_rates(text: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(StudyError, match=message):
        read_study(path)

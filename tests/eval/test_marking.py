"""Every step of an alignment finds its written word, whatever the normaliser made of it, and none is lost."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from eval.marking import LEGEND, SIGNS, Mark, align_pairs, mark_heard, mark_written
from eval.wer import score


def test_lines_and_case_are_kept_and_tags_are_not_shown() -> None:
    lyrics = "[verse]\nDon't you (ooh) CRY\n\n[chorus]\nBaby"
    lines = align_pairs(lyrics, score(lyrics, "do not you cry baby").alignment)
    assert [[t.written for t in line] for line in lines] == [["Don't", "you", "CRY"], ["Baby"]]
    assert [len(t.steps) for line in lines for t in line] == [2, 1, 1, 1]


@pytest.mark.parametrize("lyrics", ["twenty one\nthree roads", "at nine\none more time", "oh oh oh baby", "1 2 3 4"])
def test_words_that_run_together_lose_nothing(lyrics: str) -> None:
    pairs = score(lyrics, "something else entirely").alignment
    lines = align_pairs(lyrics, pairs)
    assert [step for line in lines for token in line for step in token.steps] == [asdict(pair) for pair in pairs]


def test_planted_errors_are_marked_on_both_sides() -> None:
    lyrics = "The Morning comes,\nacross the hill"
    first, second = align_pairs(lyrics, score(lyrics, "the evening comes the hill yeah").alignment)
    assert mark_written(first) == [
        Mark("equal", "The"),
        Mark("substitute", "Morning", "heard as evening"),
        Mark("equal", "comes,"),
    ]
    assert mark_heard(first)[1] == Mark("substitute", "evening", "instead of morning")
    assert mark_written(second)[0] == Mark("delete", "across", "missing")
    assert mark_heard(second) == [
        Mark("delete", ""),
        Mark("equal", "the"),
        Mark("equal", "hill"),
        Mark("insert", "yeah", "extra"),
    ]


def test_a_word_of_which_a_part_came_through_is_another_word() -> None:
    """ "don't" is "do not": with one of the two missing it is neither whole nor gone."""
    (line,) = align_pairs("don't go", score("don't go", "do go").alignment)
    assert mark_written(line)[0] == Mark("substitute", "don't", "heard as do")


def test_what_is_heard_before_the_first_word_or_without_words_is_kept() -> None:
    (line,) = align_pairs("hello", score("hello", "well hello").alignment)
    assert mark_heard(line) == [Mark("insert", "well", "extra"), Mark("equal", "hello")]
    (line,) = align_pairs("[solo]", score("[solo]", "you").alignment)
    assert mark_heard(line) == [Mark("insert", "you", "extra")]


def test_every_kind_of_error_has_a_sign_of_its_own() -> None:
    signs = [SIGNS[kind] for kind, _, _ in LEGEND if kind != "equal"]
    assert len(set(signs)) == 3 and all(signs)

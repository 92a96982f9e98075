"""Kinds of failure: planted transcripts of every kind, what wins where two fit, and lyrics that excuse."""

from __future__ import annotations

import zlib
from itertools import permutations
from typing import get_args

import pytest

from eval.failures import Failure, failure_kind
from eval.prompts import EVERYDAY, read_prompts
from eval.text import reference_words
from eval.wer import score

SONG = (
    "[verse]\nMy father built this crooked gate\nAnd every spring he paints it green\nThe hinges sing when I get home"
)
OTHER = "We carried apples down the hill in baskets bigger than our arms"
WITH_YOU = "I will wait for you tonight\nunder every yellow light\nwith a lantern burning bright"
THANKS = "Thank you thank you\nmy old friend"
SIX = "Somebody Or Other In Any Town"
CREDITED = (
    "[verse]\nCopyright on a lantern in the rain\nEvery letter that I wrote to you\nFloats away along the window pane"
)
LA = "la la la la la la la la\nla la la la la la la la"
CHORUS = "take me home\n" * 6

CASES: list[tuple[str, str, str, float | None, str]] = [
    ("all of it", SONG, SONG, 1.2, "good"),
    ("three of twenty wrong", SONG, SONG.replace("gate", "skate").replace("paints", "faints"), 1.2, "good"),
    ("nothing heard", SONG, "", None, "silent"),
    ("noises are no words", SONG, "♪ (music) [Music] mmm ♪", 0.8, "silent"),
    ("half of it", SONG, "my father built this crooked gate and every thing is paint", 1.2, "garbled"),
    ("another song", SONG, OTHER, 1.1, "unrelated"),
    ("another song with one word right", SONG, f"{OTHER} home", 1.1, "unrelated"),
    ("the first word alone", SONG, "My", 0.3, "garbled"),
    ("the first two words alone", SONG, "My father", 0.5, "garbled"),
    ("the first three words alone", SONG, "My father built", 0.7, "garbled"),
    ("as many right words as wrong ones", SONG, "My father walked away", 0.7, "garbled"),
    ("more wrong words than right ones", SONG, "My father walked far away", 0.7, "unrelated"),
    # boilerplate
    ("thank you", SONG, "Thank you.", 0.5, "boilerplate"),
    ("twice thanked", SONG, "Thank you. Thank you for watching!", 0.8, "boilerplate"),
    ("subscribe", SONG, "Please like, comment & subscribe!", 0.8, "boilerplate"),
    ("one word", SONG, "you", 0.3, "boilerplate"),
    ("a caption without brackets", SONG, "music playing", 0.7, "boilerplate"),
    ("credits take all that follows", SONG, "Subtitles by the Amara.org community", 0.9, "boilerplate"),
    ("credits of a person", SONG, "Transcription by Somebody Or Other, Anytown", 0.9, "boilerplate"),
    ("credits in the lyrics of a good song", CREDITED, CREDITED.replace("lantern", "land turn"), 1.2, "good"),
    ("credits in the lyrics of half a song", CREDITED, " ".join(CREDITED.split()[:12]), 1.2, "garbled"),
    ("credits take six words", SONG, f"Copyright {SIX}", 0.9, "boilerplate"),
    ("credits are less than half", SONG, f"Copyright {SIX} {OTHER}", 1.1, "unrelated"),
    ("credits before half of the song", SONG, "Translated by " + " ".join(SONG.split()[1:16]), 1.1, "garbled"),
    (
        "a notice of rights",
        SONG,
        "© 2020 Anybody. All rights reserved. No part of this recording may be reproduced "
        "without the express consent of Anybody",
        1.2,
        "boilerplate",
    ),
    ("German", SONG, "Untertitelung des ZDF, 2020", 0.8, "boilerplate"),
    ("German on behalf of", SONG, "Untertitel im Auftrag des ZDF für funk, 2017", 0.9, "boilerplate"),
    ("French", SONG, "Sous-titres réalisés par la communauté d'Amara.org", 0.9, "boilerplate"),
    ("French of a broadcaster", SONG, "Sous-titrage Société Radio-Canada", 0.9, "boilerplate"),
    ("Spanish", SONG, "¡Gracias por ver el video!", 0.9, "boilerplate"),
    ("Japanese", SONG, "ご視聴ありがとうございました。", 0.9, "boilerplate"),
    ("Korean", SONG, "시청해주셔서 감사합니다.", 0.9, "boilerplate"),
    ("Russian", SONG, "Субтитры сделал DimaTorzok", 0.9, "boilerplate"),
    ("Japanese that is none", SONG, "桜の花が咲いている", 0.9, "unrelated"),
    ("most of it is stock", SONG, "home. I'll see you in the next video.", 0.9, "boilerplate"),
    ("a stock phrase at the end", SONG, f"{SONG} Thanks for watching!", 1.2, "good"),
    ("thanks", SONG, "Thanks! Thanks a lot for listening.", 0.8, "boilerplate"),
    ("a word that begins like one", SONG, "copyrighted thank yours", 0.8, "unrelated"),
    ("one you among many words", WITH_YOU, "you", 0.3, "boilerplate"),
    ("lyrics that hold it", THANKS, "thank you thank you", 0.8, "garbled"),
    ("stock words among others", SONG, "okay the moon and you", 0.8, "unrelated"),
    # loops
    ("one word", SONG, "So, so so. So so!", 0.9, "loop"),
    ("syllables", SONG, "lo-lo-lo-lo-lo-lo-lo", 0.9, "loop"),
    ("a phrase, cut off", SONG, "my father " + "and then he went away, " * 5 + "and then", 2.0, "loop"),
    ("three times is none", SONG, "and then he went away " * 3, 2.0, "unrelated"),
    ("less than half is none", SONG, f"{SONG} home home home home home", 1.4, "good"),
    ("it compresses", SONG, "lo" * 80, 8.0, "loop"),
    ("it compresses, at the limit", SONG, OTHER, 2.4, "unrelated"),
    ("it compresses", SONG, OTHER, 2.41, "loop"),
    ("lyrics that repeat so", LA, "la " * 16, 3.0, "good"),
    ("twice as often as the lyrics", LA, "la " * 32, 3.0, "garbled"),
    ("more than twice as often", LA, "la " * 33, 3.0, "loop"),
    ("a chorus", CHORUS, CHORUS, 2.9, "good"),
    ("a chorus begun elsewhere", CHORUS, "home take me " * 6, 2.9, "good"),
    ("oh is a digit to the normaliser", "oh " * 8 + "my love", "oh oh oh oh oh oh oh oh my love", 1.1, "good"),
    ("oh without lyrics like it", SONG, "Oh, oh, oh, oh, oh", 1.1, "loop"),
    ("one compressible segment of a good song", SONG, SONG, 9.0, "good"),
    # nothing to sing
    ("nothing to sing", "[instrumental]", "", None, "good"),
    ("nothing to sing, noises", "[instrumental]", "(music)", 0.5, "good"),
    ("nothing to sing, stock", "[instrumental]", "Thank you.", 0.5, "boilerplate"),
    ("nothing to sing, loop", "", "no no no no no", 0.5, "loop"),
    ("nothing to sing, words", "", OTHER, 1.1, "unrelated"),
    # precedence
    ("boilerplate goes before loop", SONG, "thank you " * 6, 3.0, "boilerplate"),
    ("loop goes before unrelated", SONG, "never never never never", 1.0, "loop"),
    ("silent goes before loop", SONG, "[loop] " * 9, 5.0, "silent"),
]


@pytest.mark.parametrize(("lyrics", "transcript", "ratio", "kind"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_planted_transcripts(lyrics: str, transcript: str, ratio: float | None, kind: str) -> None:
    assert failure_kind(score(lyrics, transcript), transcript, ratio) == kind


def test_every_kind_is_planted() -> None:
    assert {case[-1] for case in CASES} == set(get_args(Failure))


def test_other_songs_are_unrelated_and_the_own_is_good() -> None:
    """All ordered pairs of a fifth of the songs; over all songs the share is the one of the module's docstring."""
    prompts = read_prompts(EVERYDAY)
    for prompt in prompts:
        own = " ".join(prompt.lines)
        assert failure_kind(score(prompt.lyrics, own), own, _ratio(own)) == "good"
    kinds = []
    for prompt, other in permutations(prompts[::5], 2):
        heard = " ".join(other.lines)
        kinds.append(failure_kind(score(prompt.lyrics, heard), heard, _ratio(heard)))
    assert len(kinds) == 24 * 23
    assert kinds.count("unrelated") / len(kinds) > 0.99
    assert set(kinds) <= {"unrelated", "garbled"}


@pytest.mark.parametrize("words", [1, 2, 3])
def test_few_words_that_are_right_are_not_unrelated(words: int) -> None:
    for prompt in read_prompts(EVERYDAY)[::5]:
        heard = " ".join(reference_words(prompt.lyrics)[:words])
        assert failure_kind(score(prompt.lyrics, heard), heard, _ratio(heard)) in ("garbled", "boilerplate")


def _ratio(text: str) -> float:
    """As Whisper computes it."""
    return len(text.encode()) / len(zlib.compress(text.encode()))


def test_nan_is_no_ratio() -> None:
    assert failure_kind(score(SONG, OTHER), OTHER, float("nan")) == "unrelated"

"""Lyrics and transcripts become the same words, traps included."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.text import american_spellings, heard_words, reference_words, sung_lines

CASES = [
    ("contraction", "Don't you say I'm wrong", "do not you say i am wrong"),
    ("curly quotes", "Don’t you say I‘m “wrong”", "do not you say i am wrong"),
    ("possessive opens too", "nobody's ex's car", "nobody is ex is car"),
    (
        "contractions of all verbs",
        "we've she'd they'll can't won't let's",
        "we have she would they will can not will not let us",
    ),
    ("contraction of three", "I'd've", "i would have"),
    ("dropped beginning", "rock 'n' roll 'til", "rock n roll til"),
    ("slang", "gonna wanna y'all ain't", "going to want to you all aint"),
    ("number word", "forty thousand strangers", "40000 strangers"),
    ("number in digits", "40,000 strangers", "40000 strangers"),
    ("number with hyphen", "turning twenty-nine", "turning 29"),
    ("ordinal words", "first, second", "1st 2nd"),
    ("ordinal in digits", "the 3rd of May, 1985", "the 3rd of may 1985"),
    ("decade", "in the 1980s", "in the 1980s"),
    ("decimal", "zero point five", "0.5"),
    ("money and per cent", "$5 and 50%", "$5 and 50%"),
    ("time of day", "at 3:15", "at 3 15"),
    ("trap: number words join", "three, two, one, go", "321 go"),
    ("trap: across lines", "at nine\nOne more time", "at 91 more time"),
    ("lone one stays", "one of them", "one of them"),
    ("trap: oh is nought", "oh baby", "0 baby"),
    ("trap: ohs join", "Oh, oh, oh", "000"),
    ("trap: o'clock", "twelve o'clock", "120 clock"),
    ("trap: hums vanish", "hmm mm uh um yeah", "yeah"),
    ("hyphen", "in mid-air", "in mid air"),
    ("hyphens in a row", "twenty-one-gun, well-known", "21 gun well known"),
    ("dashes", "half-light – still—here", "half light still here"),
    ("trap: drawn out", "lo-o-ove", "lo 0 ove"),
    ("dropped letter", "ridin' high", "ridin high"),
    ("repeated chorus", "la la land\nla la land", "la la land la la land"),
    ("chorus with its tags", "[chorus]\nStay, stay\n\n[chorus]\nStay, stay", "stay stay stay stay"),
    ("chorus by number is sung once", "[chorus x2]\nStay (x2)", "stay"),
    ("empty", "", ""),
    ("blank", " \n\t\n", ""),
    ("tags only", "[verse]\n[chorus]", ""),
    ("ad-libs only", "(oh yeah)\n{ooh} [bridge]", ""),
    ("tag", "[Verse 2 - soft]\nhello", "hello"),
    ("tag in a line", "hello [whispered] there", "hello there"),
    ("round ad-lib", "hello (oh yeah) there", "hello there"),
    ("curly ad-lib", "hello {ooh} there", "hello there"),
    ("ad-lib in an ad-lib", "hello (oh (yeah) baby) there", "hello there"),
    ("bracket left open", "hello (oh\nyeah) there", "hello 0 yeah there"),
    ("heart", "I <3 you\nme > you", "i 3 you me you"),
    ("accents", "Café naïve, über ÆON", "cafe naive uber aeon"),
    ("accents of Europe", "niño, straße, Łódź, Þór", "nino strasse lodz thor"),
    ("accent as a character of its own", "cafe\u0301", "cafe"),
    ("Cyrillic stays", "песня о любви", "песня о любви"),
    ("other scripts stay", "日本 love", "日本 love"),
    ("emoji and notes", "♪ la 🎵 la ♪", "la la"),
    ("British", "the neighbours' grey colour, realised", "the neighbors gray color realized"),
    ("titles", "Mr. Brown and Dr. Lee", "mister brown and doctor lee"),
    ("an ellipsis is no word", "wait... what...\n... % $", "wait what"),
    ("control characters", "hello\0friend\x07 there", "hello friend there"),
    ("case and stops", "HELLO... there!?", "hello there"),
]


@pytest.mark.parametrize(("text", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_words(text: str, words: str) -> None:
    assert reference_words(text) == words.split()
    assert heard_words(text) == words.split()


def test_what_whisper_writes_for_what_was_typed() -> None:
    typed = "[verse]\nThe neighbours banged, I practised, we'd travelled till twelve o’clock (yeah)"
    written = " The neighbors banged. I practiced. We'd traveled till 12 o'clock."
    assert reference_words(typed) == heard_words(written)


def test_lines_keep_their_spelling() -> None:
    assert sung_lines("[verse]\nDon’t go\n\n(oh yeah)\n[chorus] Stay  here {ooh}\n...") == ["Don’t go", "Stay here"]


def test_spellings_are_words_and_settled() -> None:
    spellings = american_spellings()
    assert spellings["colouring"] == "coloring" and spellings["recognised"] == "recognized"
    assert spellings["travelling"] == "traveling" and spellings["realise"] == "realize"
    assert not set(spellings) & set(spellings.values())  # nothing is mapped twice


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=60))
def test_never_raises_and_is_settled_in_shape(text: str) -> None:
    for word in reference_words(text):
        assert any(c.isalnum() for c in word) and not any(c.isspace() for c in word)
    sung_lines(text)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.sampled_from("one two oh hundred and a half point double $ . 5 7.5 % 1/2 ½ ² 3rd per cent ٣".split()))
)
def test_never_raises_on_numbers(words: list[str]) -> None:
    reference_words(" ".join(words))

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.lyrics import canonical_tag, normalise, parse_lyrics


@pytest.mark.parametrize(
    ("typed", "sung"),
    [
        ("I’ve got “you”, babe!", "i've got you babe"),
        ("rock & roll", "rock and roll"),
        ("24 hours, the 3rd time", "twenty four hours the third time"),
        ("in 1999 we paid 1,000", "in nineteen ninety nine we paid one thousand"),
        ("3.5 miles", "three point five miles"),
        ("well-known naïve café", "well known naive cafe"),
        ("你好 hello 😀\x00", "hello"),
        ("12345678901234", "one two three four five six seven eight nine zero one two three four"),
        ("...!?", ""),
    ],
)
def test_normalises(typed: str, sung: str) -> None:
    assert normalise(typed) == sung


def test_keeps_lines_and_tags_and_leaves_ad_libs_out() -> None:
    lyrics = parse_lyrics("[Verse 1]\nHello (ooh) world\r\n\n[Chorus] hey {whisper}\n[outro]")
    assert [[w.text for w in line.words] for line in lyrics.lines] == [["hello", "world"], ["hey"]]
    assert [line.tags for line in lyrics.lines] == [("[verse]",), ("[chorus]",)]
    assert lyrics.trailing_tags == ("[outro]",)
    assert lyrics.syllables == 4


@pytest.mark.parametrize("typed", ["", "   ", "[verse]", "[verse]\n[chorus]", "😀😀", "(only ad-libs)"])
def test_wordless_lyrics_have_no_lines(typed: str) -> None:
    assert parse_lyrics(typed).lines == ()


@pytest.mark.parametrize(
    ("typed", "tag"),
    [("Verse 2 - soft", "[verse]"), ("PRE-CHORUS", "[pre-chorus]"), ("guitar", "[other]"), ("refrain", "[chorus]")],
)
def test_tags_are_recognised_by_their_start(typed: str, tag: str) -> None:
    assert canonical_tag(typed) == tag


@given(st.text(max_size=300))
def test_no_text_makes_it_fail(typed: str) -> None:
    for line in parse_lyrics(typed).lines:
        assert line.words and all(word.syllables for word in line.words)

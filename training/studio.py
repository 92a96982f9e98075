"""Sung corpora on disk, from the speech bank: the base model's own songs, songs of chosen genres, or studio takes.

``sung`` draws songs as the base model's corpus does, noise of its labels included. ``genres`` draws songs of some
genres alone, whose words are always right, for adapters of what the base model knows least. ``studio`` plays the part
that GTSinger (Zhang et al. 2024) plays for the real model: a cappella takes, a few singers, five techniques beside
neutral singing, every take in three paces, and words that are always right.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import numpy as np

from engine.codec import WORLD_RATE, synthesise
from engine.genres import GENRES, Voice
from engine.lyrics import Line, Lyrics
from engine.plan import FRAME_RATE, Plan, make_plan
from engine.tokenizer import SongTokenizer
from training.corpus import LINES_PER_SONG, Bank, Clip, ClipRecord, draw_song, split_bank, tagged_text
from training.manifest import AboutCorpus, NewClip
from training.singing import Singer, Sung
from training.speech import read_bank
from training.styles import WELL, Style

Kind = Literal["sung", "genres", "studio"]

ALL = tuple(GENRES)
LICENCE = "CC0-1.0 (Piper voice `joe`); the voice was finetuned from one whose recordings are for research"
#: Songs keep their level, which the model knows; only those that would clip are turned down to this peak.
_PEAK = 0.99

TECHNIQUES: dict[str, Style] = {
    # plain singing is what half of every singer's takes are, as in a control group
    "neutral": Style(WELL, vibrato=(15.0, 5.5)),
    "breathy": Style(WELL, breath=0.3, tilt=0.2, vibrato=(10.0, 5.2)),
    "falsetto": Style(WELL, formant=1.05, breath=0.12, tilt=0.1, vibrato=(20.0, 5.8), glide=3),
    "pharyngeal": Style(WELL, formant=1.03, tilt=-0.4, vibrato=(15.0, 5.5), glide=3),
    "vibrato": Style(WELL, vibrato=(55.0, 5.6), glide=5),
    "glissando": Style(WELL, vibrato=(15.0, 5.4), glide=14),
}


@dataclass(frozen=True)
class StudioSinger:
    """One singer of the studio corpus; ``formant`` scales the vocal tract of the voice."""

    name: str
    voice: Voice
    range: str
    formant: float


SINGERS = (
    StudioSinger("alto-1", "high", "alto", 1.0),
    StudioSinger("alto-2", "high", "alto", 1.03),
    StudioSinger("tenor-1", "low", "tenor", 1.0),
)
_GENDER: dict[Voice, str] = {"high": "female", "low": "male"}
#: Beats per minute of each pace; together they span what the model can sing.
PACES: dict[str, tuple[float, float]] = {"slow": (85, 112), "moderate": (112, 145), "fast": (145, 188)}
_LINES_PER_TAKE = (1, 1, 2, 2, 3)


def about(kind: Kind, genres: Sequence[str] = ALL) -> AboutCorpus:
    """``corpus.json`` of a corpus; ``genres``: of one of those."""
    if kind == "genres":
        which = ", ".join(genres) if set(genres) != set(ALL) else "all thirty genres"
        text = f"songs of {which}; words always right"
        return AboutCorpus(name="genres", description=text, licence=LICENCE)
    if kind == "studio":
        text = "clean a cappella takes: three singers, five techniques and neutral singing, three paces, true words"
        return AboutCorpus(name="studio", description=text, licence=LICENCE)
    text = "songs in thirty genres as the embedded model's own corpus draws them; some lyrics are missing or wrong"
    return AboutCorpus(name="sung", description=text, licence=LICENCE)


class ClipMaker:
    """Makes clip after clip from a bank; each depends on its number and the seed alone."""

    def __init__(self, bank: Bank, seed: int = 11, wanted: Sequence[str] = ALL) -> None:
        self.bank, self.seed, self.wanted = bank, seed, wanted
        self.singer, self.tokenizer = Singer(bank), SongTokenizer()

    def sung(self, number: int) -> NewClip:
        """A song as in the base model's corpus."""
        rng = random.Random(f"sung/{self.seed}/{number}")
        return self._song(f"sung-{number:05d}", *draw_song(self.bank, self.singer, self.tokenizer, rng))

    def genres(self, number: int) -> NewClip:
        """A song of one of the wanted genres, in turn, with true words."""
        rng = random.Random(f"genres/{self.seed}/{number}")
        genre, lines = self.wanted[number % len(self.wanted)], rng.choice(LINES_PER_SONG)
        return self._song(f"genres-{number:05d}", *draw_song(self.bank, self.singer, self.tokenizer, rng, lines, genre))

    def _song(self, name: str, sung: Sung, _: Clip, record: ClipRecord) -> NewClip:
        plan = _counted_from_nought(sung.plan)
        fields: dict[str, Any] = {
            "lyrics": record.lyrics,
            "caption": record.caption,
            "tags": [record.genre],
            "singer": f"{record.voice} voice",
            "style": record.genre,
        }
        if record.label == "good":
            fields["words"] = _timed_words(record.lyrics, plan)
        return _clip(name, sung.features, plan, fields)

    def studio(self, number: int) -> NewClip:
        """A studio take: singers in turn, every second of their takes neutral, the others of a technique each."""
        rng = random.Random(f"studio/{self.seed}/{number}")
        who = SINGERS[number % len(SINGERS)]
        others = [name for name in TECHNIQUES if name != "neutral"]
        technique = "neutral" if (number // len(SINGERS)) % 2 else rng.choice(others)
        pace = rng.choice(list(PACES))
        picked = [rng.choice(self.bank) for _ in range(rng.choice(_LINES_PER_TAKE))]
        lyrics = Lyrics(tuple(Line(line.words, ("[verse]",) if n == 0 else ()) for n, (line, _) in enumerate(picked)))
        # rhythm and scale come from any genre: a studio corpus has songs of every kind
        genre = rng.choice(list(GENRES))
        plan = make_plan(lyrics, genre, who.voice, rng.uniform(*PACES[pace]), rng.getrandbits(31))
        style = replace(TECHNIQUES[technique], formant=TECHNIQUES[technique].formant * who.formant)
        sung = self.singer.sing([word for _, words in picked for word in words], plan, style)
        how = "clear singing" if technique == "neutral" else f"{technique} singing"
        text = tagged_text(lyrics)
        fields: dict[str, Any] = {
            "lyrics": text,
            "words": _timed_words(text, plan),
            "caption": f"clean studio a cappella recording, {_GENDER[who.voice]} {who.range}, {how}, {pace} pace",
            "tags": ["a cappella", "studio", who.range, _GENDER[who.voice], technique, pace],
            "singer": who.name,
            "style": technique,
        }
        return _clip(f"studio-{number:05d}", sung.features, plan, fields)


def render_clips(
    speech: Path, kind: Kind, count: int, seed: int = 11, workers: int = 2, wanted: Sequence[str] = ALL
) -> Iterator[NewClip]:
    """``count`` clips in order of their numbers, from the bank in ``speech`` less its validation lines."""
    if workers == 1:
        make = _maker(speech, kind, seed, wanted)
        yield from (make(number) for number in range(count))
        return
    with get_context("spawn").Pool(workers, _start_worker, (speech, kind, seed, wanted)) as pool:
        yield from pool.imap(_work, range(count), chunksize=4)


_worker: dict[str, Callable[[int], NewClip]] = {}


def _start_worker(speech: Path, kind: Kind, seed: int, wanted: Sequence[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one ends the others
    _worker["make"] = _maker(speech, kind, seed, wanted)


def _work(number: int) -> NewClip:
    return _worker["make"](number)


def _maker(speech: Path, kind: Kind, seed: int, wanted: Sequence[str]) -> Callable[[int], NewClip]:
    maker = ClipMaker(split_bank(read_bank(speech))[0], seed, wanted)
    make: dict[Kind, Callable[[int], NewClip]] = {"studio": maker.studio, "sung": maker.sung, "genres": maker.genres}
    return make[kind]


def _counted_from_nought(plan: Plan) -> Plan:
    """The plan with slots as the lyrics' tokens count them; the base model's corpus begins anywhere."""
    first = min((note.slot for note in plan.notes if note.slot >= 0), default=0)
    moved = (n.model_copy(update={"slot": n.slot - first}) if n.slot >= 0 else n for n in plan.notes)
    return plan.model_copy(update={"notes": tuple(moved)})


def _timed_words(lyrics: str, plan: Plan) -> list[dict[str, Any]]:
    texts = [word for line in lyrics.split("\n") for word in line.split() if not word.startswith("[")]
    notes: dict[int, list[dict[str, float]]] = {}
    for note in plan.notes:
        start, end = note.start / FRAME_RATE, (note.start + note.frames) / FRAME_RATE
        notes.setdefault(note.word, []).append({"start": start, "end": end, "midi": note.midi})
    return [
        {"text": texts[word], "start": start, "end": end, "notes": notes[word]}
        for word, start, end in plan.word_times()
    ]


def _clip(name: str, features: Any, plan: Plan, fields: dict[str, Any]) -> NewClip:
    audio = synthesise(features)
    audio = audio / max(1.0, float(np.abs(audio).max()) / _PEAK)
    common = {"plan": plan.model_dump(), "source": "choirmaster corpus", "licence": "CC0-1.0"}
    return NewClip(name, {**common, **fields}, audio[None].astype(np.float32), WORLD_RATE)

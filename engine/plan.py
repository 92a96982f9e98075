"""The plan: which syllable sounds when and on which note, laid out for the whole song before it is sung.

It enters the transformer as source latents, where ACE-Step's own language-model planner enters, and it tells the true
word timings. Times are latent frames of 40 ms. Knows nothing about how anything sounds.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from engine.errors import Fault, RequestError
from engine.genres import GENRES, Voice
from engine.lyrics import Lyrics

FRAME_RATE = 25
LEAD_FRAMES = 4
TAIL_FRAMES = 4
MAX_FRAMES = 600
MAX_SYLLABLES = 96
#: A syllable needs three frames (120 ms) for its consonants to be heard.
MIN_NOTE_FRAMES = 3
#: Beats per minute at which a plain syllable lasts between 3.75 and 10 frames.
BPM_LIMITS = (75.0, 200.0)
#: MIDI note in the middle of each voice.
VOICE_CENTRE: dict[Voice, int] = {"low": 49, "high": 56}

PLAN_CHANNELS = 64
_SLOT_WAVES = 2 * math.pi / np.logspace(math.log10(4), math.log10(120), 16)
_TIME_WAVES = 2 * math.pi / np.logspace(math.log10(4), math.log10(600), 8)


class Note(BaseModel):
    """One sung syllable, or one played note of an instrumental (``slot`` -1)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    start: int = Field(ge=0, lt=MAX_FRAMES)
    frames: int = Field(ge=1, le=MAX_FRAMES)
    midi: float = Field(ge=30, le=84)
    slot: int = Field(ge=-1, lt=128)
    line: int = -1
    word: int = -1


class Plan(BaseModel):
    """All notes of a song. ``bpm``: a plain syllable lasts half a beat; ``word`` counts over the whole song."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    genre: str
    voice: Voice
    bpm: float
    frames: int = Field(gt=0, le=MAX_FRAMES)
    notes: tuple[Note, ...]

    @property
    def seconds(self) -> float:
        return self.frames / FRAME_RATE

    def word_times(self) -> list[tuple[int, float, float]]:
        """(word, start second, end second) of every sung word, in order."""
        times: dict[int, tuple[float, float]] = {}
        for note in self.notes:
            if note.word >= 0:
                start, end = note.start / FRAME_RATE, (note.start + note.frames) / FRAME_RATE
                times[note.word] = (times.get(note.word, (start, end))[0], end)
        return [(word, *span) for word, span in times.items()]


def make_plan(
    lyrics: Lyrics,
    genre: str,
    voice: Voice,
    bpm: float,
    seed: int,
    *,
    durations: Sequence[float] | None = None,
    first_slot: int = 0,
    instrumental_frames: int = 200,
) -> Plan:
    """Lay out a song: one note per syllable, rests between lines; or a melody alone where there are no lyrics.

    Args:
        bpm: beats per minute; a plain syllable lasts half a beat, that is ``750 / bpm`` frames.
        seed: of rhythm, rests and melody.
        durations: seconds per syllable, in order, instead of the genre's rhythm.
        first_slot: number of the first syllable; training shifts it so that every slot is learnt.
        instrumental_frames: length where there are no lyrics.

    Raises:
        RequestError: more syllables or a longer song than the model was made for, or a wrong number of durations.
    """
    if lyrics.syllables > MAX_SYLLABLES:
        said = (
            f"the lyrics have {lyrics.syllables} syllables and a song may have at most {MAX_SYLLABLES}: shorten them "
            "or sing them as several songs"
        )
        raise RequestError.of([Fault("lyrics", said)])
    if durations is not None and len(durations) != lyrics.syllables:
        said = (
            f"{len(durations)} durations were given for {lyrics.syllables} syllables: give one for each syllable, in "
            "order"
        )
        raise RequestError.of([Fault("durations", said)])
    style, rng = GENRES[genre], random.Random(seed)
    unit = FRAME_RATE * 30.0 / bpm
    rhythm = rng.choice(style.rhythms)
    rest = rng.randint(*style.rest)
    centre = VOICE_CENTRE[voice] + style.centre + rng.choice((-2, -1, 0, 0, 1, 2))
    melody = _Melody(style.scale, centre, rng)
    if not lyrics.lines:
        return _instrumental(genre, voice, bpm, unit, rhythm, melody, instrumental_frames)
    notes: list[Note] = []
    at, slot, word_index = LEAD_FRAMES, first_slot, 0
    for number, line in enumerate(lyrics.lines):
        if number:
            at += rest
        pickup = line.syllables > 4 and rng.random() < 0.25
        held = rng.uniform(1.3, 1.9)
        for k, (word, last_of_word) in enumerate(
            (w, s is word_.syllables[-1]) for w, word_ in enumerate(line.words, word_index) for s in word_.syllables
        ):
            final = k == line.syllables - 1
            length = unit * rhythm[k % len(rhythm)]
            if pickup and k == 0:
                length *= 0.7
            if final:
                length *= held
            elif last_of_word and rng.random() < 0.08:
                length *= 1.5
            if durations is not None:
                length = durations[slot - first_slot] * FRAME_RATE
            frames = max(MIN_NOTE_FRAMES, round(length))
            pitch = melody.home() if final and rng.random() < 0.6 else melody.step()
            notes.append(Note.model_construct(start=at, frames=frames, midi=pitch, slot=slot, line=number, word=word))
            at, slot = at + frames, slot + 1
        word_index += len(line.words)
    frames = at + TAIL_FRAMES
    if frames > MAX_FRAMES:
        said = (
            f"the song would last {frames / FRAME_RATE:.1f} s and may last at most {MAX_FRAMES / FRAME_RATE:.0f} s: "
            "shorten the lyrics or raise the tempo"
        )
        raise RequestError.of([Fault("lyrics", said)])
    return Plan.model_construct(genre=genre, voice=voice, bpm=bpm, frames=frames, notes=tuple(notes))


def fit_plan(lyrics: Lyrics, genre: str, voice: Voice, seconds: float, seed: int) -> Plan:
    """The plan of the tempo at which the song comes nearest to ``seconds``; what is left over becomes silence at
    the end.

    Raises:
        RequestError: the words do not fit into so short a time, or the song is too long for the model.
    """
    frames = round(seconds * FRAME_RATE)
    if not lyrics.lines:
        return make_plan(lyrics, genre, voice, sum(GENRES[genre].bpm) / 2, seed, instrumental_frames=frames)
    slowest, fastest = BPM_LIMITS
    shortest = make_plan(lyrics, genre, voice, fastest, seed)
    if shortest.frames > frames:
        said = (
            f"{lyrics.syllables} syllables do not fit into {seconds:g} s: ask for at least {shortest.seconds:.1f} s, "
            "or leave the length to the plan"
        )
        raise RequestError.of([Fault("duration", said)])
    low, high = slowest, fastest
    for _ in range(16):  # bisection: the length falls as the tempo rises
        middle = (low + high) / 2
        if _length(lyrics, genre, voice, middle, seed) > frames:
            low = middle
        else:
            high = middle
    plan = make_plan(lyrics, genre, voice, high, seed)
    return plan.model_copy(update={"frames": frames, "notes": _spread(plan.notes, frames - plan.frames)})


def _spread(notes: tuple[Note, ...], spare: int) -> tuple[Note, ...]:
    """Give up to one spare frame to each note, evenly: whole frames per syllable make the tempo jump in steps."""
    spare = min(spare, len(notes))
    given, out = 0, []
    for number, note in enumerate(notes, 1):
        extra = number * spare // len(notes) - given
        out.append(note.model_copy(update={"start": note.start + given, "frames": note.frames + extra}))
        given += extra
    return tuple(out)


def _length(lyrics: Lyrics, genre: str, voice: Voice, bpm: float, seed: int) -> int:
    try:
        return make_plan(lyrics, genre, voice, bpm, seed).frames
    except RequestError:
        return MAX_FRAMES + 1


def plan_latents(plan: Plan) -> npt.NDArray[np.float32]:
    """Source latents [frames, 64] of a plan.

    Channels: 0-31 sinusoids of the syllable's slot number, 32-47 of the frame number, 48 phase within the note, 49 note
    sounding, 50 note length / 8, 51 constant 1, 52 and 53 frames since start and to the end / 4, 54 pitch in octaves
    above MIDI 52 times 2, 55 instrumental note, the rest zero.
    """
    out = np.zeros((plan.frames, PLAN_CHANNELS), np.float32)
    time = np.arange(plan.frames)[:, None] * _TIME_WAVES
    out[:, 32:40], out[:, 40:48] = np.sin(time), np.cos(time)
    pitch = np.zeros(plan.frames)
    for note in plan.notes:
        span, steps = slice(note.start, note.start + note.frames), np.arange(note.frames)
        if note.slot >= 0:
            out[span, :32] = slot_sinusoids(note.slot)
        else:
            out[span, 55] = 1
        out[span, 48] = (steps + 0.5) / note.frames
        out[span, 49] = 1
        out[span, 50] = note.frames / 8
        out[span, 51] = 1
        out[span, 52], out[span, 53] = steps / 4, steps[::-1] / 4
        pitch[span] = (note.midi - 52) / 12
    out[:, 54] = pitch * 2
    return out


def slot_sinusoids(slot: int) -> npt.NDArray[np.float64]:
    """The 32 numbers that stand for a syllable's slot, in the plan and (at the start of training) in its token."""
    return np.concatenate([np.sin(slot * _SLOT_WAVES), np.cos(slot * _SLOT_WAVES)])


class _Melody:
    """A random walk over a scale that stays within its range."""

    def __init__(self, scale: Sequence[int], centre: int, rng: random.Random) -> None:
        self.scale, self.centre, self.rng = scale, centre, rng
        self.at = rng.randrange(len(scale))

    def step(self) -> float:
        pitch = self.centre + self.scale[self.at]
        self.at = min(len(self.scale) - 1, max(0, self.at + self.rng.choice((-2, -1, -1, 0, 1, 1, 2))))
        return float(pitch)

    def home(self) -> float:
        self.at = list(self.scale).index(0)
        return float(self.centre)


def _instrumental(
    genre: str, voice: Voice, bpm: float, unit: float, rhythm: Sequence[float], melody: _Melody, frames: int
) -> Plan:
    if not LEAD_FRAMES + TAIL_FRAMES + MIN_NOTE_FRAMES <= frames <= MAX_FRAMES:
        said = (
            f"an instrumental may last from {(LEAD_FRAMES + TAIL_FRAMES + MIN_NOTE_FRAMES) / FRAME_RATE:.2f} to "
            f"{MAX_FRAMES / FRAME_RATE:.0f} s, not {frames / FRAME_RATE:g} s"
        )
        raise RequestError.of([Fault("duration", said)])
    notes: list[Note] = []
    at, end = LEAD_FRAMES, frames - TAIL_FRAMES
    while end - at >= MIN_NOTE_FRAMES:
        length = max(MIN_NOTE_FRAMES, round(unit * 1.5 * rhythm[len(notes) % len(rhythm)]))
        if end - at - length < MIN_NOTE_FRAMES:
            length = end - at
        notes.append(Note.model_construct(start=at, frames=length, midi=melody.step(), slot=-1, line=-1, word=-1))
        at += length
    return Plan.model_construct(genre=genre, voice=voice, bpm=bpm, frames=frames, notes=tuple(notes))

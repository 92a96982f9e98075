"""The sung corpus of the embedded model: songs of one to four lines in thirty genres, with the noise real corpora have.

Songs are rendered from the speech bank into shards of latents, token ids and alignment targets; every shard depends
only on its number and the corpus seed, so that building can be stopped and resumed. A manifest says what each clip is.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt

from adapters.files import write_bytes_atomically
from engine.codec import FRAMES_PER_LATENT, WorldCodec
from engine.genres import GENRES
from engine.lyrics import SECTION_TAGS, Line, Lyrics, Word
from engine.plan import BPM_LIMITS, MAX_SYLLABLES, Plan, make_plan
from engine.tokenizer import LyricToken, SongTokenizer, lyric_tokens
from training.captions import bpm_of, make_caption
from training.singing import Singer, Sung
from training.speech import SpokenWord, read_bank
from training.styles import STYLES

SHARD_SONGS = 400
VALIDATION_EVERY = 50
LINES_PER_SONG = (1, 1, 2, 2, 3, 4)
_INSTRUMENTAL_SHARE = 0.04

Bank = Sequence[tuple[Line, list[SpokenWord]]]


@dataclass(frozen=True)
class Clip:
    """One song of the corpus, ready for training.

    ``latents`` [frames, 64]; ``notes`` [notes, 4] start, frames, midi, slot; ``lyric_ids`` and ``caption_ids``
    token ids;
    ``phone_at`` and ``slot_at`` [frames, 4] place in ``lyric_ids`` of the phone and of the slot token that sound in
    each
    10 ms; ``aligned`` is False where the lyrics given are not those sung, so that nothing is known about the alignment.
    """

    latents: npt.NDArray[np.float16]
    notes: npt.NDArray[np.float32]
    lyric_ids: npt.NDArray[np.int16]
    caption_ids: npt.NDArray[np.int16]
    phone_at: npt.NDArray[np.int16]
    slot_at: npt.NDArray[np.int16]
    aligned: bool


@dataclass(frozen=True)
class ClipRecord:
    """One line of the manifest. ``label``: good, missing or wrong lyrics, or instrumental."""

    genre: str
    voice: str
    caption: str
    lyrics: str
    label: str
    bpm: float
    seconds: float


def draw_song(
    bank: Bank,
    singer: Singer,
    tokenizer: SongTokenizer,
    rng: random.Random,
    lines: int | None = None,
    genre: str | None = None,
) -> tuple[Sung, Clip, ClipRecord]:
    """Draw, plan and sing one song; the clip's latents are left empty until a codec is fitted.

    A given number of lines means true lyrics, as for validation; a given genre is not drawn.
    """
    genre = genre or rng.choices(list(STYLES), [s.coverage.share for s in STYLES.values()])[0]
    style = STYLES[genre]
    voice = GENRES[genre].voice if rng.random() < 0.7 else rng.choice(("low", "high"))
    bpm = bpm_of(genre, None, rng) if rng.random() < 0.85 else rng.uniform(BPM_LIMITS[0] + 10, BPM_LIMITS[1] - 10)
    caption = make_caption(genre, voice, bpm, rng)
    instrumental = lines is None and rng.random() < _INSTRUMENTAL_SHARE
    picked = [] if instrumental else [rng.choice(bank) for _ in range(lines or rng.choice(LINES_PER_SONG))]
    lyrics = _with_tags([line for line, _ in picked], rng)
    spoken = [w for _, words in picked for w in words]
    first_slot = rng.randint(0, MAX_SYLLABLES - lyrics.syllables) if rng.random() < 0.25 else 0
    plan = make_plan(
        lyrics, genre, voice, bpm, rng.getrandbits(31), first_slot=first_slot, instrumental_frames=rng.randint(60, 220)
    )
    label = "instrumental" if instrumental else "good"
    given = lyrics
    if not instrumental and lines is None:
        draw = rng.random()
        if draw < style.coverage.missing:
            label, given = "missing", Lyrics(())
        elif draw < style.coverage.missing + style.coverage.wrong:
            label, given = "wrong", _partly_wrong(lyrics, bank, rng)
    sung = singer.sing(spoken, plan, style)
    tokens = lyric_tokens(given, first_slot)
    phone_at, slot_at = alignment_targets(sung, tokens)
    clip = Clip(
        latents=np.zeros((0, 64), np.float16),
        notes=np.array([[n.start, n.frames, n.midi, n.slot] for n in plan.notes], np.float32),
        lyric_ids=np.array(tokenizer.ids(t.text for t in tokens), np.int16),
        caption_ids=np.array(tokenizer.ids(tokenizer.caption_tokens(caption)), np.int16),
        phone_at=phone_at,
        slot_at=slot_at,
        aligned=label == "good",
    )
    return sung, clip, ClipRecord(genre, voice, caption, tagged_text(given), label, round(bpm, 1), plan.seconds)


def tagged_text(lyrics: Lyrics) -> str:
    """Lyrics as somebody would type them: section tags on lines of their own."""
    rows: list[str] = []
    for line in lyrics.lines:
        rows += [*line.tags, " ".join(word.text for word in line.words)]
    return "\n".join([*rows, *lyrics.trailing_tags])


def alignment_targets(sung: Sung, tokens: Sequence[LyricToken]) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
    """Places of the phone and slot tokens that sound, [frames, 4] each; silence points at ``<bos>``, the end at
    ``<eos>``."""
    first: dict[int, int] = {}
    for place, token in enumerate(tokens):
        if token.kind == "slot":
            first.setdefault(token.syllable, place)
    starts = np.array([first.get(s, 0) for s in range(max(first, default=0) + 1)], np.int16)
    slot_at = np.zeros(len(sung.syllable), np.int16)
    phone_at = np.zeros(len(sung.syllable), np.int16)
    on = (sung.syllable >= 0) & (sung.syllable < len(starts))
    if first:
        slot_at[on] = starts[sung.syllable[on]]
        phone_at[on] = slot_at[on] + 1 + sung.phone[on]
    last = int(np.flatnonzero(on)[-1]) + 1 if on.any() else len(on)
    slot_at[last:] = phone_at[last:] = len(tokens) - 1
    return phone_at.reshape(-1, FRAMES_PER_LATENT), slot_at.reshape(-1, FRAMES_PER_LATENT)


def _with_tags(lines: Sequence[Line], rng: random.Random) -> Lyrics:
    if rng.random() < 0.6:
        return Lyrics(tuple(lines))
    tags = [(rng.choice(SECTION_TAGS),) if n == 0 or rng.random() < 0.25 else () for n in range(len(lines))]
    trailing = (rng.choice(SECTION_TAGS),) if not lines or rng.random() < 0.1 else ()
    return Lyrics(tuple(Line(line.words, tag) for line, tag in zip(lines, tags, strict=True)), trailing)


def _partly_wrong(lyrics: Lyrics, bank: Bank, rng: random.Random) -> Lyrics:
    """About two words in five replaced by others of as many syllables, as in a badly transcribed corpus."""
    pool: dict[int, list[Word]] = {}
    for _ in range(40):
        for word in rng.choice(bank)[0].words:
            pool.setdefault(len(word.syllables), []).append(word)
    return Lyrics(
        tuple(
            Line(
                tuple(rng.choice(pool.get(len(w.syllables), [w])) if rng.random() < 0.4 else w for w in line.words),
                line.tags,
            )
            for line in lyrics.lines
        ),
        lyrics.trailing_tags,
    )


def split_bank(bank: Bank) -> tuple[Bank, Bank]:
    """(training, validation) lines; every fiftieth line is never trained on."""
    return [b for i, b in enumerate(bank) if i % VALIDATION_EVERY], bank[::VALIDATION_EVERY]


def encode(codec: WorldCodec, sung: Sung, clip: Clip) -> Clip:
    """The clip with the latents of what was sung."""
    return Clip(**{**clip.__dict__, "latents": codec.features_to_latents(sung.features).astype(np.float16)})


_worker: dict[str, object] = {}


def _render_shard(job: tuple[Path, Path, Path, int, int, int]) -> Path:
    path, speech, codec_path, number, count, seed = job
    if "singer" not in _worker:
        bank = read_bank(speech)
        _worker.update(
            singer=Singer(bank),
            bank=split_bank(bank)[0],
            codec=WorldCodec.from_pretrained(codec_path),
            tokenizer=SongTokenizer(),
        )
    rng = random.Random(f"{seed}/{number}")
    clips, records = [], []
    for _ in range(count):
        sung, clip, record = draw_song(_worker["bank"], _worker["singer"], _worker["tokenizer"], rng)  # type: ignore[arg-type]
        clips.append(encode(_worker["codec"], sung, clip))  # type: ignore[arg-type]
        records.append(record)
    write_bytes_atomically(path, pack_clips(clips, records))
    return path


def build_corpus(
    folder: Path, speech: Path, codec_path: Path, songs: int, seed: int = 1, workers: int = 2
) -> Iterator[tuple[int, int]]:
    """Render ``songs`` songs into shards; yields (shards done, shards in all). Shards that exist are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = range((songs + SHARD_SONGS - 1) // SHARD_SONGS)
    jobs = [
        (folder / f"songs-{n:04d}.npz", speech, codec_path, n, min(SHARD_SONGS, songs - n * SHARD_SONGS), seed)
        for n in numbers
    ]
    todo = [job for job in jobs if not job[0].exists()]
    done = len(jobs) - len(todo)
    yield done, len(jobs)
    if todo:
        with get_context("spawn").Pool(min(workers, len(todo))) as pool:
            for _ in pool.imap_unordered(_render_shard, todo):
                done += 1
                yield done, len(jobs)


_RAGGED = ("latents", "notes", "lyric_ids", "caption_ids", "phone_at", "slot_at")


def pack_clips(clips: Sequence[Clip], records: Sequence[ClipRecord]) -> bytes:
    """Clips as one .npz: every ragged field concatenated, its lengths beside it, the records as JSON."""
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for name in _RAGGED:
        parts = [getattr(c, name) for c in clips]
        arrays[name] = np.concatenate([p.reshape(-1, 4) if name == "notes" else p for p in parts])
        arrays[f"{name}.lengths"] = np.array([len(p) for p in parts], np.int32)
    arrays["aligned"] = np.array([c.aligned for c in clips])
    arrays["records"] = np.array(json.dumps([asdict(r) for r in records]))
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def read_corpus(folder: Path) -> tuple[list[Clip], list[ClipRecord]]:
    """All clips and their records, in order.

    Raises:
        FileNotFoundError: the folder holds no shard.
    """
    paths = sorted(folder.glob("songs-*.npz"))
    if not paths:
        raise FileNotFoundError(f"no songs-*.npz in {folder}: build the corpus first with `choirmaster pretrain`")
    clips: list[Clip] = []
    records: list[ClipRecord] = []
    for path in paths:
        with np.load(path, allow_pickle=False) as shard:
            columns = {name: np.split(shard[name], np.cumsum(shard[f"{name}.lengths"])[:-1]) for name in _RAGGED}
            for n, aligned in enumerate(shard["aligned"]):
                clips.append(Clip(**{k: v[n] for k, v in columns.items()}, aligned=bool(aligned)))
            records += [ClipRecord(**r) for r in json.loads(str(shard["records"]))]
    return clips, records


def plan_of_notes(notes: npt.NDArray[np.float32], frames: int) -> Plan:
    """A plan good enough for ``plan_latents``, from a clip's notes."""
    from engine.plan import Note

    made = tuple(
        Note.model_construct(start=int(s), frames=int(n), midi=float(m), slot=int(k), line=-1, word=-1)
        for s, n, m, k in notes
    )
    return Plan.model_construct(genre="", voice="low", bpm=120.0, frames=frames, notes=made)

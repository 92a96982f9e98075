"""A small evaluation with known figures: a table, sounds and attention maps, as ``choirmaster eval`` leaves them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from engine.attention_maps import AttentionFrame, AttentionRecord
from engine.lyric_map import map_embedded
from eval.failures import failure_kind
from eval.results import Results
from eval.table import Table, make_heads, make_songs
from eval.wer import score

JUDGE, SECOND = "planted int8 beam 5", "second int8 beam 5"
RATE = 16_000
FRAME_RATE = 25.0
LINES = (
    "My father built this crooked gate", "And every spring he paints it green", "The hinges sing when I get home",
    "A sound I never want to lose", "We carried apples down the hill", "In baskets bigger than our arms",
    "Your sister dropped a few of them", "And laughed until the horses turned", "I saw your name light up my phone",
    "You said you are around the block", "There is bread and there is cider", "Someone start another tune",
)  # fmt: skip
GENRES = (
    "folk", "pop", "rock", "jazz", "R&B", "country", "EDM", "choral", "indie", "reggae", "blues", "synthwave", "gospel",
    "punk", "bossa nova", "hip-hop", "lo-fi", "power ballad", "Latin pop", "singer-songwriter", "funk", "lullaby",
    "alt-rock", "soul", "Celtic", "tropical house", "grunge", "disco", "ambient", "new wave",
)  # fmt: skip
#: Share of words each composition loses.
LOSSES = {"base": 0.35, "nolyrics": 0.22, "lyrics": 0.2, "nolyrics-asr": 0.6, "lyrics-asr": 0.34}
HEADS = tuple((layer, head) for layer in range(6) for head in range(4))
HEARD_INSTEAD = ("gray", "mountain", "la", "baby", "weather", "tomorrow", "oh yeah", "window")


def plant(
    folder: Path,
    genres: Sequence[str] = GENRES[:3],
    compositions: Sequence[str] = ("base", "nolyrics", "lyrics"),
    seeds: Sequence[int] = (42, 43),
    judges: Sequence[str] = (JUDGE,),
    sounds: bool = True,
    attention: bool = True,
    lyrics: str | None = None,
) -> Results:
    """Write an evaluation into ``folder``; ``lyrics`` replaces those of every prompt."""
    rng = np.random.default_rng(7)
    songs: list[dict[str, Any]] = []
    heads: list[dict[str, Any]] = []
    results = Results(folder)
    for number, genre in enumerate(genres):
        start = 4 * number % len(LINES)
        words = "[verse]\n" + "\n".join(LINES[start : start + 4]) if lyrics is None else lyrics
        hard = rng.uniform(0.5, 1.8)
        lengths = {seed: float(np.round(rng.uniform(9, 13), 2)) for seed in seeds}
        for composition in compositions:
            for seed in seeds:
                cell: dict[str, Any] = {"prompt": f"{genre}-1", "seed": seed, "composition": composition}
                loss = min(0.97, LOSSES.get(composition, 0.4) * hard * rng.uniform(0.4, 1.6))
                seconds = lengths[seed]
                measured = dict.fromkeys(("lyric_mass", "alignment_score", "alignment_null"))
                if attention:
                    measured |= {"lyric_mass": 0.9 - 0.5 * loss, "alignment_score": 0.7 - 0.6 * loss,
                                 "alignment_null": 0.08}  # fmt: skip
                    heads += [{**cell, **row} for row in _heads(loss, rng)]
                for judge in judges:
                    songs.append({**cell, "genre": genre, "judge": judge, "lyrics": words, **measured,
                                  "caption": f"a {genre} song with a soft voice", "tags": f"{genre}, soft",
                                  "audio_seconds": seconds, **judged(words, mishear(words, loss, rng))})  # fmt: skip
                if sounds:
                    plant_sound(results.audio_path(**cell), seconds=1.2, pitch=220 + 30 * number)
                if attention and seed == seeds[0]:
                    path = results.attention_path(**cell)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(record(words, seconds, loss, rng).save_bytes())
    Table(make_songs(songs), make_heads(heads), about(compositions, seeds, judges)).write(folder / "table.parquet")
    return results


def about(compositions: Sequence[str], seeds: Sequence[int], judges: Sequence[str]) -> dict[str, Any]:
    """How the planted table was made, every field told."""
    return {
        "model": "models/tiny", "model_fingerprint": "0123456789abcdef" * 4, "preset": "tiny", "steps": 8,
        "adapters": {name: hashlib.sha256(name.encode()).hexdigest() for name in compositions if name != "base"},
        "judges": {judge: {"language": "en", "beam": 5, "temperature": 0.0} for judge in judges},
        "prompts": {"file": "eval/prompts/test.jsonl", "sha256": "feed" * 16}, "seeds": list(seeds),
        "compositions": list(compositions), "versions": {"torch": "2.13.0", "faster-whisper": "1.2.1"},
        "command": "choirmaster eval --out outputs/eval", "made": "2026-03-01T12:00:00+00:00",
        "alignment_heads": [[2, 0], [2, 1], [3, 0], [3, 1]],
    }  # fmt: skip


def judged(lyrics: str, transcript: str) -> dict[str, Any]:
    """The judge's columns of one song."""
    errors = score(lyrics, transcript)
    kind = failure_kind(errors, transcript, 1.12)
    return {
        "transcript": transcript, "judge_seconds": 0.8, "avg_logprob": -0.31, "compression_ratio": 1.12,
        "no_speech_prob": 0.02, "temperature": 0.0, "wer": errors.wer, "cer": errors.cer, "mer": errors.mer,
        "substitutions": errors.substitutions, "deletions": errors.deletions, "insertions": errors.insertions,
        "hits": errors.hits, "reference_words": errors.reference_words, "heard_words": errors.heard_words,
        "character_errors": errors.character_errors, "reference_characters": errors.reference_characters,
        "failure": kind,
    }  # fmt: skip


def mishear(lyrics: str, loss: float, rng: np.random.Generator) -> str:
    """The lyrics with a share of their words missing, wrong or doubled; now and then nothing, or a loop."""
    if loss > 0.5 and rng.random() < 0.15:
        return "" if rng.random() < 0.5 else "la la la la la la la la"
    heard: list[str] = []
    for word in lyrics.partition("\n")[2].split() or lyrics.split():
        if rng.random() >= loss:
            heard.append(word)
        elif (drawn := rng.random()) < 0.5:
            heard.append(str(rng.choice(HEARD_INSTEAD)))
        elif drawn > 0.85:
            heard += [word, str(rng.choice(HEARD_INSTEAD))]
    return " ".join(heard)


def plant_sound(path: Path, seconds: float, pitch: float) -> None:
    """A short tone as FLAC."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(seconds * RATE)) / RATE
    soundfile.write(path, (0.2 * np.sin(2 * np.pi * pitch * time)).astype(np.float32), RATE, format="FLAC")


def record(lyrics: str, seconds: float, loss: float, rng: np.random.Generator) -> AttentionRecord:
    """Maps in which some heads walk along the words, the less the more words are lost, and others do not."""
    lyric_map = map_embedded(lyrics)
    frames, tokens = int(seconds * FRAME_RATE), len(lyric_map.tokens)
    bins = min(256, frames)
    way = np.linspace(0, tokens, bins)[:, None] - np.arange(tokens)
    maps = np.empty((len(HEADS), bins, tokens), np.float32)
    for at, (layer, head) in enumerate(HEADS):
        sharp = max(0.02, (1 - loss) * (0.9 if layer in (2, 3) and head < 2 else 0.25))
        even = rng.uniform(0.2, 1, (bins, tokens))
        walk = np.exp(-((way / 2.5) ** 2))
        maps[at] = 0.85 * (
            sharp * walk / walk.sum(-1, keepdims=True) + (1 - sharp) * even / even.sum(-1, keepdims=True)
        )
    is_word = lyric_map.word_of_tokens >= 0
    frame = AttentionFrame(
        7,
        HEADS,
        maps.astype(np.float16),
        maps[..., is_word].sum(-1).astype(np.float16),
        maps.sum(-1).astype(np.float16),
    )
    return AttentionRecord(lyric_map, FRAME_RATE, frames, (frame,))


def _heads(loss: float, rng: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for layer, head in HEADS:
        good = (1 - loss) * (0.9 if layer in (2, 3) and head < 2 else 0.3) + rng.uniform(0, 0.05)
        rows.append({
            "layer": layer, "head": head, "lyric_mass": 0.5 + 0.4 * good, "lyric_mass_null": 0.5,
            "entropy": 4 - 2 * good, "entropy_null": 4.2, "dominant": 0.2 - 0.1 * good, "dominant_null": 0.05,
            "dominant_token": "AH", "dominant_kind": "word", "switch_rate": 0.4, "switch_rate_null": 0.9,
            "diagonal": good, "diagonal_null": 0.1, "order": good, "order_null": 0.0,
        })  # fmt: skip
    return rows


def copy(results: Results, folder: Path) -> Results:
    """The same evaluation elsewhere, to be damaged."""
    shutil.copytree(results.folder, folder, dirs_exist_ok=True)
    return Results(folder)

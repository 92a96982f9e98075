"""A results table of a few songs whose rates are known, with sound and maps beside it, and what the services need."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.attention_maps import AttentionFrame, AttentionRecord
from engine.conditioning import TokenKind
from engine.lyric_map import LyricMap, MappedToken
from engine.songs import audio_bytes
from eval.prompts import Prompt
from eval.results import Results
from eval.table import PARQUET, Table
from tests.eval.lattices import row, table_of

JUDGE, SECOND = "planted int8 beam 5", "second int8 beam 5"
GENRES = ("folk", "rock")
COMPOSITIONS = ("base", "folk=1", "rock=0.5")
ABOUT = {
    "model": "/secret/models/planted",
    "model_fingerprint": "feed",
    "steps": 2,
    "made": "2026-01-02T03:04:05+00:00",
}
RATE = 48_000


def wrong_words(genre: str, seed: int, composition: str) -> int:
    """Of ten words: base gets 4 wrong, an adapter of the song's genre 1 and the other 6, one more with seed 2."""
    right = composition.startswith(f"{genre}=")
    return (4 if composition == "base" else 1 if right else 6) + (seed == 2)


def plant_results(folder: Path, compositions: Sequence[str] = COMPOSITIONS, seeds: Sequence[int] = (1, 2)) -> Table:
    """Write two prompts of each genre into ``folder``, heard by two judges alike; base's songs of seed 1 have sound and
    maps."""
    rows = []
    for genre in GENRES:
        for number in range(2):
            for seed in seeds:
                for name in compositions:
                    wrong = wrong_words(genre, seed, name)
                    rows += [
                        row(
                            f"{genre}-{number}", seed, name, wrong, 10, judge=judge, genre=genre, wer=wrong / 10,
                            cer=wrong / 20, caption=f"a {genre} song", lyrics="[verse]\nten words",
                            transcript="ten birds",
                        )
                        for judge in (JUDGE, SECOND)
                    ]  # fmt: skip
                    if name == "base" and seed == 1:
                        plant_files(Results(folder), f"{genre}-{number}", seed, name)
    table = Table(table_of(rows).songs, table_of(rows).heads, ABOUT)
    table.write(folder / PARQUET)
    return table


def plant_files(results: Results, prompt: str, seed: int, composition: str) -> None:
    """A second of a tone, and maps of one head."""
    for path, content in (
        (results.audio_path(prompt, seed, composition), planted_sound()),
        (results.attention_path(prompt, seed, composition), planted_record().save_bytes()),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def planted_sound() -> bytes:
    """A FLAC file."""
    time = np.arange(RATE) / RATE
    return audio_bytes(np.stack([0.3 * np.sin(2 * np.pi * 440 * time)] * 2).astype(np.float32), RATE, "flac")


def planted_record() -> AttentionRecord:
    """Two words, four moments, one head that looks at one after the other."""
    tokens = (MappedToken("ten", TokenKind.WORD, 0, 0), MappedToken("words", TokenKind.WORD, 1, 0))
    maps = np.array([[[0.8, 0.1], [0.6, 0.2], [0.2, 0.6], [0.1, 0.8]]], np.float16)
    frame = AttentionFrame(2, ((1, 0),), maps, maps.sum(-1), maps.sum(-1))
    return AttentionRecord(LyricMap(tokens, ("ten", "words"), ((0, 1),)), 4.0, 4, (frame,))


def plant_prompts(folder: Path) -> dict[str, Path]:
    """Prompts of thirty genres with two words each, which take no time to sing, in place of those of evaluations."""
    rows = (
        Prompt(id=f"short-{n}", genre=f"genre {n}", caption=f"song {n}", tags=(), lyrics="hello there")
        for n in range(30)
    )
    path = folder / "short.jsonl"
    path.write_text("".join(f"{prompt.model_dump_json()}\n" for prompt in rows), encoding="utf-8")
    return {"test": path, "router": path}

"""The corpus's own recordings, to be listened to: the ceiling of what a model trained on them can be expected to sing.

Songs are drawn as for the corpus, in given genres and of hand-written lines, passed through the codec and written as
sound files beside a list of their words. Knows no judge.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import torch

from adapters.files import write_bytes_atomically, write_text_atomically
from engine.codec import WorldCodec
from engine.genres import GENRES
from engine.songs import audio_bytes
from engine.tokenizer import SongTokenizer
from training.corpus import Bank, draw_song, encode
from training.singing import Singer
from training.texts import written_lines

LIST = "recordings.jsonl"


def natural_bank(bank: Bank) -> Bank:
    """The hand-written lines of a bank: what the grammar makes up is harder to hear than what people write."""
    written = set(written_lines())
    return [entry for entry in bank if " ".join(w.text for w in entry[0].words) in written]


def record_songs(
    bank: Bank, codec: WorldCodec, folder: Path, per_genre: int, seed: int = 3
) -> Iterator[tuple[int, int]]:
    """Write ``per_genre`` single lines and four-line songs of each genre into ``folder``; yields (done, in all).

    ``recordings.jsonl`` lists them, a JSON object a line: file, kind (line or song), genre, lyrics.

    Raises:
        ValueError: the bank holds no hand-written line.
    """
    lines = natural_bank(bank)
    if not lines:
        raise ValueError("the speech bank holds none of the hand-written lines: build it with more --lines")
    singer, tokenizer = Singer(bank), SongTokenizer()
    jobs = [(kind, genre, n) for genre in GENRES for n in range(per_genre) for kind in ("line", "song")]
    rate, listed = int(codec.config["sampling_rate"]), list[str]()
    for done, (kind, genre, number) in enumerate(jobs, 1):
        rng = random.Random(f"recording/{seed}/{kind}/{genre}/{number}")
        sung, clip, record = draw_song(lines, singer, tokenizer, rng, lines=1 if kind == "line" else 4, genre=genre)
        latents = torch.from_numpy(encode(codec, sung, clip).latents.astype("float32"))[None].transpose(1, 2)
        audio = codec.decode(latents).sample[0].numpy()
        name = f"{kind}-{genre.replace(' ', '_').replace('/', '_')}-{number}.flac"
        write_bytes_atomically(folder / name, audio_bytes(audio / max(1e-6, abs(audio).max()), rate, "flac"))
        listed.append(json.dumps({"file": name, "kind": kind, "genre": genre, "lyrics": record.lyrics}))
        yield done, len(jobs)
    write_text_atomically(folder / LIST, "\n".join(listed) + "\n")

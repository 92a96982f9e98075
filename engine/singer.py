"""One song, start to end: plan, condition, denoise, decode. Batch of one; knows no queue, no files and no judge."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from engine.conditioning import encode_condition
from engine.denoising import Sampling, denoise
from engine.errors import Cancelled, RequestError, SongError
from engine.folding import Folding, Shelf
from engine.genres import GENRES, CaptionReading, read_caption
from engine.lyrics import parse_lyrics
from engine.plan import MIN_NOTE_FRAMES, Plan, fit_plan, make_plan, plan_latents
from engine.request import SongRequest
from engine.song_model import SongModel

#: Seconds of an instrumental when no duration is asked for.
INSTRUMENTAL_SECONDS = 8.0
#: Seconds of a song of the real model when no duration is asked for.
UNPLANNED_SECONDS = 60.0


@dataclass(frozen=True)
class Song:
    """What was sung. ``audio`` [channels, samples]; ``latents`` [frames, channels]; ``spent`` seconds by stage.

    ``plan`` is None for models that are not planned; ``reading`` says how the caption was understood.
    """

    request: SongRequest
    audio: npt.NDArray[np.float32]
    sampling_rate: int
    latents: npt.NDArray[np.float32]
    plan: Plan | None
    reading: CaptionReading
    sampling: Sampling
    spent: dict[str, float]

    @property
    def seconds(self) -> float:
        return float(self.audio.shape[1] / self.sampling_rate)


@dataclass(frozen=True)
class Step:
    """Told to the listener after each denoising step."""

    done: int
    of: int
    latents: torch.Tensor


def plan_song(request: SongRequest) -> tuple[Plan, CaptionReading]:
    """The plan of a request, without singing it: a pure function of the request.

    Raises:
        RequestError: the words cannot be laid out as asked.
    """
    lyrics, reading = parse_lyrics(request.lyrics), read_caption(request.caption)
    if request.plan is not None:
        sung = sum(n.slot >= 0 for n in request.plan.notes)
        if sung != lyrics.syllables:
            raise RequestError(
                f"the plan has {sung} sung notes and the lyrics {lyrics.syllables} syllables: give one note per "
                "syllable, or leave the plan out"
            )
        return request.plan, reading
    seed = request.seed if request.melody_seed is None else request.melody_seed
    if request.duration is not None:
        return fit_plan(lyrics, reading.genre, reading.voice, request.duration, seed), reading
    low, high = GENRES[reading.genre].bpm
    third = {"slow": 0, "medium": 1, "fast": 2}.get(reading.tempo or "")
    span = (0.15, 0.7) if third is None else (third / 3, (third + 1) / 3)
    drawn = low + (high - low) * random.Random(f"tempo/{seed}").uniform(*span)
    plan = make_plan(
        lyrics,
        reading.genre,
        reading.voice,
        request.tempo or drawn,
        seed,
        durations=request.durations,
        instrumental_frames=round(INSTRUMENTAL_SECONDS * 25),
    )
    return plan, reading


class Singer:
    """Sings requests with one song model, one at a time (calls from several threads wait for each other).

    Compositions are folded into the transformer, which must be untouched when this is made; without a ``shelf`` only
    the base model sings.
    """

    def __init__(self, model: SongModel, shelf: Shelf | None = None) -> None:
        self.model, self.shelf = model, shelf
        self.folding = Folding(model.transformer)
        self._lock = threading.Lock()

    def sampling(self, request: SongRequest) -> Sampling:
        """The request's sampling, gaps filled from the model's preset."""
        preset = self.model.preset
        return Sampling(
            steps=request.steps or preset.steps,
            shift=preset.shift,
            guidance=preset.guidance if request.guidance is None else request.guidance,
            rule=preset.rule,
        )

    def preview(self, request: SongRequest) -> tuple[Plan | None, CaptionReading, float]:
        """Plan, reading of the caption and seconds of a request, without singing it.

        Raises:
            RequestError: the request cannot be sung by this model.
        """
        plan, reading, frames = self._lay_out(request)
        return plan, reading, frames / self.model.frame_rate

    def source_latents(self, plan: Plan | None, frames: int) -> torch.Tensor:
        """Source latents [1, frames, channels]: the plan, or silence where the model is not planned."""
        if plan is not None:
            made = torch.from_numpy(plan_latents(plan))[None]
        else:
            silence = self.model.condition_encoder.silence_latent
            made = silence[:, torch.arange(frames, device=silence.device) % silence.shape[1]]
        return made.to(self.model.device, self.model.dtype)

    def condition(self, request: SongRequest, seconds: float) -> torch.Tensor:
        """Packed conditioning [1, tokens, width] of a request."""
        return encode_condition(self.model, request.caption, request.lyrics, seconds, request.tempo).packed

    def noise(self, seed: int, frames: int) -> torch.Tensor:
        """Starting noise [1, frames, channels]: the same for the same seed and length, on every device."""
        channels = int(self.model.transformer.config.audio_acoustic_hidden_dim)
        made = torch.randn(1, frames, channels, generator=torch.Generator().manual_seed(seed))
        return made.to(self.model.device, self.model.dtype)

    def sing(
        self,
        request: SongRequest,
        on_step: Callable[[Step], None] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Song:
        """Sing one song.

        Args:
            on_step: told after each denoising step.
            cancelled: asked at every step and before decoding.

        Raises:
            RequestError: the request cannot be sung by this model.
            AdapterError: an adapter is damaged, or was made for another model.
            Cancelled: ``cancelled()`` became true.
            SongError: the song came out unusable.
        """
        with self._lock, torch.inference_mode():
            return self._sing(request, on_step, cancelled)

    def _sing(
        self, request: SongRequest, on_step: Callable[[Step], None] | None, cancelled: Callable[[], bool]
    ) -> Song:
        started = time.monotonic()
        plan, reading, frames = self._lay_out(request)
        sampling = self.sampling(request)
        self.folding.fold(request.composition, self.shelf)
        condition = self.condition(request, frames / self.model.frame_rate)
        source = self.source_latents(plan, frames)
        encoded = time.monotonic()

        def after(done: int, latents: torch.Tensor) -> None:
            if cancelled():
                raise Cancelled("the song was cancelled")
            if on_step is not None:
                on_step(Step(done, sampling.steps, latents))

        latents = denoise(
            self.model.transformer,
            self.noise(request.seed, frames),
            condition,
            self.model.condition_encoder.null_condition_emb.to(condition),
            torch.cat([source, torch.ones_like(source)], -1),
            sampling,
            after,
        )
        if not bool(torch.isfinite(latents).all()):
            raise SongError(
                f"the song came out as not-a-number at guidance {sampling.guidance:g} and {sampling.steps} steps: "
                "lower the guidance"
            )
        denoised = time.monotonic()
        audio = self.model.codec.decode(latents.transpose(1, 2).to(self.model.codec.dtype)).sample
        spent = {
            "encode": encoded - started,
            "denoise": denoised - encoded,
            "decode": time.monotonic() - denoised,
        }
        return Song(
            request=request,
            audio=_to_level(audio[0].float().cpu().numpy()),
            sampling_rate=self.model.sampling_rate,
            latents=latents[0].float().cpu().numpy(),
            plan=plan,
            reading=reading,
            sampling=sampling,
            spent=spent,
        )

    def _lay_out(self, request: SongRequest) -> tuple[Plan | None, CaptionReading, int]:
        there = self.shelf.names() if self.shelf is not None and request.composition else []
        for name in request.composition:
            if name not in there:
                raise RequestError(
                    f"there is no adapter {name}: choose from {', '.join(there) or 'none, since the shelf is empty'}"
                )
        limit = self.model.preset.max_seconds
        if request.duration is not None and request.duration > limit:
            raise RequestError(
                f"duration is {request.duration:g} s and the model {self.model.preset.name!r} sings at most "
                f"{limit:g} s: ask for less, or leave it out"
            )
        if self.model.planned:
            plan, reading = plan_song(request)
            return plan, reading, plan.frames
        if request.plan is not None or request.durations is not None:
            raise RequestError(f"the model {self.model.name!r} takes no plan: leave plan and durations out")
        seconds = request.duration or UNPLANNED_SECONDS
        return None, read_caption(request.caption), max(MIN_NOTE_FRAMES, round(seconds * self.model.frame_rate))


def _to_level(audio: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    """Peak at -1 dBFS, as ACE-Step's own pipeline delivers; silence stays silence."""
    peak = float(np.abs(audio).max(initial=0.0))
    return audio * np.float32(10 ** (-1 / 20) / peak) if peak > 1e-6 else audio

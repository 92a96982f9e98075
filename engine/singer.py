"""From a request to a song: plan and condition it, take its denoising steps together with others, decode it.

Songs that step together do not feel each other. Knows no queue, no files and no judge.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from engine.bank import AdapterBank, Shelf
from engine.conditioning import Condition, encode_condition
from engine.denoising import Sampling
from engine.errors import Cancelled, Fault, RequestError, SongError, UnknownAdapter
from engine.forward import Transformer
from engine.generation import Generation
from engine.genres import CaptionReading, read_caption
from engine.karaoke import align_words
from engine.lyric_map import LyricMap, map_lyrics
from engine.plan import MIN_NOTE_FRAMES, Plan, plan_latents
from engine.planning import plan_song
from engine.request import SongRequest
from engine.song import Song, Step
from engine.song_model import SongModel

#: Seconds of a song of the real model when no duration is asked for.
UNPLANNED_SECONDS = 60.0


log = logging.getLogger(__name__)


class Singer:
    """Sings requests with one song model. Every method may be called from any thread.

    Without a ``shelf`` only the base model sings. ``fold=False`` never folds compositions into whole weights.
    """

    def __init__(
        self, model: SongModel, shelf: Shelf | None = None, *, fold: bool = True, folded_bytes: int = 2 << 30
    ) -> None:
        self.model, self.shelf = model, shelf
        self.bank = AdapterBank(model.transformer, shelf)
        self.transformer = Transformer(model.transformer, self.bank, folded_bytes, fold)
        self._encoding = threading.Lock()

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
        """Source latents [frames, channels]: the plan, or silence where the model is not planned."""
        if plan is not None:
            made = torch.from_numpy(plan_latents(plan))
        else:
            silence = self.model.condition_encoder.silence_latent[0]
            made = silence[torch.arange(frames, device=silence.device) % len(silence)]
        return made.to(self.model.device, self.model.dtype)

    def condition(self, request: SongRequest, seconds: float) -> Condition:
        """The conditioning of a request."""
        with self._encoding:
            return encode_condition(self.model, request.caption, request.lyrics, seconds, request.tempo)

    def lyric_map(self, lyrics: str) -> LyricMap:
        """The words and lines of the lyric tokens."""
        with self._encoding:  # a fast tokenizer cannot be used from two threads at once
            return map_lyrics(self.model.pipeline, lyrics)

    def noise(self, seed: int, frames: int) -> torch.Tensor:
        """Starting noise [frames, channels]: the same for the same seed and length, on every device."""
        channels = int(self.model.transformer.config.audio_acoustic_hidden_dim)
        made = torch.randn(frames, channels, generator=torch.Generator().manual_seed(seed))
        return made.to(self.model.device, self.model.dtype)

    @torch.inference_mode()
    def prepare(self, request: SongRequest) -> Generation:
        """Everything that comes before the first step.

        Raises:
            RequestError: the request cannot be sung by this model.
            AdapterError: an adapter is damaged, or was made for another model.
        """
        started = time.monotonic()
        plan, reading, frames = self._lay_out(request)
        voices = self.bank.voices(request.composition)
        condition = self.condition(request, frames / self.model.frame_rate)
        source = self.source_latents(plan, frames)
        null = self.model.condition_encoder.null_condition_emb
        wish, aligned = request.attention, self.model.alignment_heads
        generation = Generation(
            request,
            plan,
            reading,
            self.sampling(request),
            latents=self.noise(request.seed, frames),
            context=torch.cat([source, torch.ones_like(source)], -1),
            memory=self.transformer.remember(condition.packed, null, voices),
            kinds=condition.kinds,
            lyric_map=self.lyric_map(request.lyrics),
            voices=voices,
            heads=_by_layer(wish.heads) if wish is not None and wish.heads is not None else aligned,
            aligned=aligned,
        )
        generation.spent["encode"] = time.monotonic() - started
        return generation

    def anticipate(self, generations: Sequence[Generation]) -> None:
        """Make what a pass of these songs will want, if it can be made, so that the pass itself need not."""
        try:
            self.transformer.mixer.anticipate([generation.voices for generation in generations])
        except Exception as error:  # it would have saved time, no more
            log.warning("adapters were not made ready beforehand: %s", error)

    @torch.inference_mode()
    def step(self, generations: Sequence[Generation]) -> list[Step | Exception]:
        """Take the next step of all songs in one forward pass; for each what became of it.

        Raises:
            Exception: the pass itself failed; all songs then are as they were.
        """
        started = time.monotonic()
        velocities = self.transformer([generation.row() for generation in generations])
        out: list[Step | Exception] = []
        for generation, velocity in zip(generations, velocities, strict=True):
            try:
                frame = generation.advance(velocity)
                out.append(Step(generation.step, generation.sampling.steps, generation.latents, velocity.maps, frame))
            except Exception as error:  # of this song alone
                out.append(error)
        for generation in generations:
            spent = generation.spent
            spent["denoise"] = spent.get("denoise", 0.0) + (time.monotonic() - started)
        return out

    @torch.inference_mode()
    def finish(self, generation: Generation) -> Song:
        """Decode a song that has taken all its steps.

        Raises:
            SongError: the sound came out as not-a-number.
        """
        started = time.monotonic()
        codec, latents = self.model.codec, generation.latents
        audio = codec.decode(latents.T[None].to(codec.dtype)).sample
        if not bool(torch.isfinite(audio).all()):
            raise SongError(
                "the song was decoded to not-a-number: the codec cannot take these latents in its precision; load the "
                "model in another one"
            )
        maps = generation.alignment_maps()
        return Song(
            request=generation.request,
            audio=_to_level(audio[0].float().cpu().numpy()),
            sampling_rate=self.model.sampling_rate,
            latents=latents.float().cpu().numpy(),
            plan=generation.plan,
            reading=generation.reading,
            sampling=generation.sampling,
            spent={**generation.spent, "decode": time.monotonic() - started},
            attention=generation.record(self._map_rate),
            karaoke=None if maps is None else align_words(maps, generation.lyric_map, self._map_rate),
            adapters={adapter.name: adapter.fingerprint for adapter, _ in generation.voices},
        )

    def sing(
        self,
        request: SongRequest,
        on_step: Callable[[Step], None] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Song:
        """Sing one song alone.

        Args:
            on_step: told after each denoising step.
            cancelled: asked at every step and before decoding.

        Raises:
            RequestError: the request cannot be sung by this model.
            AdapterError: an adapter is damaged, or was made for another model.
            Cancelled: ``cancelled()`` became true.
            SongError: the song came out unusable.
        """
        generation = self.prepare(request)
        while not generation.done:
            [step] = self.step([generation])
            if isinstance(step, Exception):
                raise step
            if cancelled():
                raise Cancelled("the song was cancelled")
            if on_step is not None:
                on_step(step)
        return self.finish(generation)

    def prune(self) -> None:
        """Drop what is kept of songs that are sung and of adapters that are gone from the shelf."""
        try:
            self.transformer.prune()
        except Exception:  # there is another time; whoever sings must not hear of it
            log.exception("what is no longer needed was not dropped")

    @property
    def _map_rate(self) -> float:
        """Patches per second: the time resolution of attention maps."""
        return self.model.frame_rate / int(self.model.transformer.config.patch_size)

    def _check_heads(self, request: SongRequest) -> None:
        config = self.model.transformer.config
        layers, heads = config.num_hidden_layers, config.num_attention_heads
        for layer, head in (request.attention and request.attention.heads) or ():
            if layer >= layers or head >= heads:
                said = (
                    f"attention.heads names layer {layer}, head {head}, and the model {self.model.name!r} has layers 0 "
                    f"to {layers - 1} of heads 0 to {heads - 1}: name others, or leave them out"
                )
                raise RequestError.of([Fault("attention", said)])

    def _lay_out(self, request: SongRequest) -> tuple[Plan | None, CaptionReading, int]:
        there = self.shelf.names() if self.shelf is not None and request.composition else []
        for name in request.composition:
            if name not in there:
                raise UnknownAdapter(name, there)
        self._check_heads(request)
        limit = self.model.preset.max_seconds
        if request.duration is not None and request.duration > limit:
            said = (
                f"{request.duration:g} s is too long: the model {self.model.preset.name!r} sings at most {limit:g} s; "
                "ask for less, or leave it out"
            )
            raise RequestError.of([Fault.of("duration", said)])
        if self.model.planned:
            plan, reading = plan_song(request)
            return plan, reading, plan.frames
        if request.plan is not None or request.durations is not None:
            said = f"the model {self.model.name!r} takes no plan: leave plan and durations out"
            raise RequestError.of([Fault("plan" if request.plan is not None else "durations", said)])
        seconds = request.duration or UNPLANNED_SECONDS
        return None, read_caption(request.caption), max(MIN_NOTE_FRAMES, round(seconds * self.model.frame_rate))


def _by_layer(heads: Sequence[tuple[int, int]]) -> dict[int, list[int]]:
    return {layer: sorted({head for at, head in heads if at == layer}) for layer in sorted({at for at, _ in heads})}


def _to_level(audio: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    """Peak at -1 dBFS, as ACE-Step's own pipeline delivers; silence stays silence."""
    peak = float(np.abs(audio).max(initial=0.0))
    return audio * np.float32(10 ** (-1 / 20) / peak) if peak > 1e-6 else audio

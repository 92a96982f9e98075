"""The peer: diffusers' transformer and pipeline with peft's adapters, used as their documentation shows.

``PeftPeer`` sings songs one after another and switches adapters for each with ``set_adapters``, or sings a batch of
equally long ones with peft's mixed batches, one adapter name per row, in which a blend is an adapter made beforehand.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import peft
import torch

from adapters.blending import concatenate
from adapters.weights import AdapterWeights, peft_config, peft_tensors
from bench.subjects import Subject
from engine.denoising import timesteps
from engine.request import SongRequest
from engine.singer import Singer


class PeftPeer:
    """A copy of a subject's model with its adapters, and its blends as adapters of their own, injected by peft."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.pipeline = copy.copy(subject.model.pipeline)
        self.transformer = copy.deepcopy(subject.model.transformer)
        self.pipeline.transformer = self.transformer
        self.pipeline.register_modules(transformer=self.transformer)
        for name, weights in subject.adapters.items():
            self.add(name, weights)
        self._singer = Singer(subject.model)
        self.transformer.eval().requires_grad_(False)

    def add(self, name: str, weights: AdapterWeights) -> None:
        """Inject one adapter."""
        settings = {k: v for k, v in peft_config(weights).items() if k != "peft_type"}
        with warnings.catch_warnings():  # that there is more than one adapter, which is meant
            warnings.simplefilter("ignore")
            self.transformer.add_adapter(peft.LoraConfig(**settings), adapter_name=name)
        tensors = {key.removeprefix("base_model.model."): t for key, t in peft_tensors(weights).items()}
        peft.set_peft_model_state_dict(self.transformer, tensors, adapter_name=name)
        self.transformer.eval().requires_grad_(False)

    def switch(self, composition: dict[str, float]) -> None:
        """Make all songs from now on sing with a composition."""
        if composition:
            self.transformer.enable_lora()
            self.transformer.set_adapters(list(composition), list(composition.values()))
        else:
            with suppress(ValueError):
                self.transformer.disable_lora()

    def sing(self, request: SongRequest) -> Any:
        """Switch, and sing one song with the stock pipeline."""
        self.switch(request.composition)
        sampling, (_, _, seconds) = self._singer.sampling(request), self._plain(request)
        frames = round(seconds * self.subject.model.frame_rate)
        with torch.inference_mode():
            return self.pipeline(
                prompt=request.caption,
                lyrics=request.lyrics,
                audio_duration=(frames - 0.5) / self.subject.model.frame_rate,  # it rounds up, twice
                num_inference_steps=sampling.steps,
                shift=sampling.shift,
                guidance_scale=sampling.guidance,
                latents=self._singer.noise(request.seed, frames)[None],
                output_type="np",
            )

    @torch.inference_mode()
    def sing_batch(self, requests: Sequence[SongRequest], names: Sequence[str]) -> list[Any]:
        """Sing equally long songs in one batch, each with the adapter of its name (``__base__`` for none).

        Conditions of unequal length are padded with zeros and not masked, as stock code would.
        """
        singer, model = self._singer, self.subject.model
        _, _, seconds = self._plain(requests[0])
        frames = round(seconds * model.frame_rate)
        packed = [singer.condition(request, seconds).packed[0] for request in requests]
        condition = torch.nn.utils.rnn.pad_sequence(packed, batch_first=True)
        sources = [singer.source_latents(self._plain(r)[0], frames) for r in requests]
        source = torch.stack(sources)
        context = torch.cat([source, torch.ones_like(source)], -1)
        latents = torch.stack([singer.noise(request.seed, frames) for request in requests])
        sampling = singer.sampling(requests[0])
        guided, rows = sampling.guidance > 1, list(names)
        if guided:
            null = model.condition_encoder.null_condition_emb.expand_as(condition)
            condition, context, rows = torch.cat([condition, null]), torch.cat([context, context]), rows * 2
        grid = timesteps(sampling.steps, sampling.shift)
        with mixed_batch(self.transformer, rows):
            for step in range(sampling.steps):
                now = grid[step].expand(len(rows))
                given = torch.cat([latents, latents]) if guided else latents
                velocity = self.transformer(given, now, now, condition, context, return_dict=False)[0]
                if guided:
                    asked, unasked = velocity.chunk(2)
                    velocity = unasked + sampling.guidance * (asked - unasked)
                latents = latents + (grid[step + 1] - grid[step]) * velocity
        return [model.codec.decode(row.T[None]).sample for row in latents]

    def _plain(self, request: SongRequest) -> Any:
        return self._singer.preview(request.model_copy(update={"composition": {}}))


def blend_name(composition: dict[str, float]) -> str:
    """The name of a blend among a peer's adapters."""
    if not composition:
        return "__base__"
    return "_".join(f"{name}x{round(100 * weight)}" for name, weight in composition.items())


def add_blends(peer: PeftPeer, compositions: Sequence[dict[str, float]]) -> None:
    """Inject every composition as an adapter of its own, since a row of peft's mixed batches names one."""
    for composition in compositions:
        if composition:
            parts = [(weight, peer.subject.adapters[name]) for name, weight in composition.items()]
            peer.add(blend_name(composition), concatenate(parts))


@contextmanager
def mixed_batch(transformer: Any, names: Sequence[str]) -> Iterator[None]:
    """Give every layer of peft's the adapter's name of every row, as ``PeftModel`` does for its ``adapter_names``."""
    layers: list[Any] = [m for m in transformer.modules() if isinstance(m, peft.tuners.lora.LoraLayer)]

    def give(_: Any, args: Any, kwargs: Any) -> Any:
        return args, {**kwargs, "adapter_names": list(names)}

    hooks = [layer.register_forward_pre_hook(give, with_kwargs=True) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()

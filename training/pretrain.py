"""Pretraining of the embedded song model: flow matching plus supervised alignment, resumable at any kill.

``v = noise - x0`` at ``x_t = t * noise + (1 - t) * x0`` (Lipman et al. 2023, "Flow matching for generative
modeling", in
ACE-Step's convention), with classifier-free condition dropout (Ho & Salimans 2022). The learning rate warms up, stays,
and falls linearly to zero at the end, so that a run can be lengthened before its last part.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save

from adapters.files import write_bytes_atomically
from engine.plan import plan_latents
from engine.tokenizer import SongTokenizer
from training.alignment import alignment_loss, attach, set_key_mask
from training.corpus import Clip, plan_of_notes
from training.tiny import TinyParts


@dataclass(frozen=True)
class PretrainOptions:
    """Recipe of the base model. ``decay``: last share of the steps over which the learning rate falls."""

    # length
    steps: int = 9000
    batch: int = 16
    seed: int = 0
    # optimiser
    learning_rate: float = 1e-3
    warmup: int = 150
    decay: float = 0.35
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.01
    clip: float = 1.0
    ema: float = 0.999
    # losses
    alignment_weight: float = 0.2
    condition_dropout: float = 0.1
    # timesteps: t = sigmoid(normal(mean, spread))
    time_mean: float = 0.3
    time_spread: float = 1.2
    # book-keeping, in steps
    save_every: int = 150
    validate_every: int = 250


@dataclass(frozen=True)
class Progress:
    """What a listener is told after each step. ``validation`` is filled every ``validate_every`` steps."""

    step: int
    steps: int
    loss: float
    alignment: float
    accuracy: float
    clips_per_second: float
    learning_rate: float
    validation: dict[str, float] | None = None


Batch = dict[str, torch.Tensor]


def collate(clips: Sequence[Clip], frames: int | None = None) -> Batch:
    """Pad clips to one length; padding is silence with an empty plan, as at the end of any song."""
    length = max(frames or 0, *(len(c.latents) for c in clips))
    tokens = max(len(c.lyric_ids) for c in clips)
    words = max(len(c.caption_ids) for c in clips)
    rows = len(clips)
    out: Batch = {
        "latents": torch.zeros(rows, length, 64),
        "plan": torch.zeros(rows, length, 64),
        "lyric_ids": torch.zeros(rows, tokens, dtype=torch.long),
        "caption_ids": torch.zeros(rows, words, dtype=torch.long),
        "phone_target": torch.zeros(rows, length, tokens),
        "slot_target": torch.zeros(rows, length, tokens),
        "aligned": torch.tensor([float(c.aligned) for c in clips]),
    }
    for row, clip in enumerate(clips):
        own, count = len(clip.latents), len(clip.lyric_ids)
        latents = torch.from_numpy(clip.latents.astype(np.float32))
        out["latents"][row, :own], out["latents"][row, own:] = latents, latents[-1]
        out["plan"][row] = torch.from_numpy(plan_latents(plan_of_notes(clip.notes, length)))
        out["lyric_ids"][row, :count] = torch.from_numpy(clip.lyric_ids.astype(np.int64))
        out["caption_ids"][row, : len(clip.caption_ids)] = torch.from_numpy(clip.caption_ids.astype(np.int64))
        for name, places in (("phone_target", clip.phone_at), ("slot_target", clip.slot_at)):
            # where the lyrics given are not those sung, places may lie outside; such clips have no alignment loss
            index = torch.from_numpy(places.astype(np.int64)).clamp(max=count - 1)
            out[name][row, :own].scatter_add_(1, index, torch.full(index.shape, 1 / index.shape[1]))
            out[name][row, own:, count - 1] = 1
    return out


def batches(clips: Sequence[Clip], size: int, seed: int) -> Iterator[list[int]]:
    """Endless batches of clip numbers of similar length; a pure function of the seed, so that resuming can skip
    ahead."""
    epoch = 0
    while True:
        rng = np.random.default_rng((seed, epoch))
        order = rng.permutation(len(clips))
        block = size * 16
        for start in range(0, max(1, len(order) - block + 1), block):
            chunk = sorted(order[start : start + block], key=lambda i: len(clips[i].latents))
            groups = [chunk[i : i + size] for i in range(0, len(chunk), size)]
            for g in rng.permutation(len(groups)):
                yield [int(i) for i in groups[g]]
        epoch += 1


class Pretrainer:
    """The training state: live weights, their running average, optimiser and step; saved and restored as one file."""

    def __init__(self, options: PretrainOptions, tokenizer: SongTokenizer, silence: torch.Tensor) -> None:
        torch.manual_seed(options.seed)
        self.options = options
        self.parts = TinyParts(tokenizer)
        self.parts.condition_encoder.silence_latent.copy_(
            silence.expand_as(self.parts.condition_encoder.silence_latent)
        )
        self.average = copy.deepcopy(self.parts).eval().requires_grad_(False)
        self.processors = attach(self.parts.transformer)
        self.average_processors = attach(self.average.transformer)
        self.optimiser = torch.optim.AdamW(
            self.parts.parameters(),
            lr=options.learning_rate,
            betas=options.betas,
            weight_decay=options.weight_decay,
            fused=True,
        )
        self.step = 0

    def losses(
        self, batch: Batch, generator: torch.Generator, *, train: bool, timestep: float | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(flow-matching loss, alignment loss, phone accuracy) of one batch."""
        options, rows = self.options, len(batch["latents"])
        parts = self.parts if train else self.average
        processors = self.processors if train else self.average_processors
        condition, mask = parts.condition(
            batch["caption_ids"], batch["caption_ids"] != 0, batch["lyric_ids"], batch["lyric_ids"] != 0
        )
        keep = torch.ones(rows)
        if train:
            keep = (torch.rand(rows, generator=generator) >= options.condition_dropout).float()
        null = parts.condition_encoder.null_condition_emb.expand_as(condition)
        condition = torch.where(keep[:, None, None] > 0, condition, null)
        set_key_mask(processors, mask)
        if timestep is None:
            normal = torch.randn(rows, generator=generator)
            t = torch.sigmoid(normal * options.time_spread + options.time_mean)
        else:
            t = torch.full((rows,), timestep)
        x0 = batch["latents"]
        noise = torch.randn(x0.shape, generator=generator)
        share = t[:, None, None]
        context = torch.cat([batch["plan"], torch.ones_like(batch["plan"])], -1)
        velocity = parts.transformer(share * noise + (1 - share) * x0, t, t, condition, context, return_dict=False)[0]
        flow = ((velocity - (noise - x0)) ** 2).mean()
        alignment, accuracy = alignment_loss(
            processors, batch["phone_target"], batch["slot_target"], keep * batch["aligned"]
        )
        return flow, alignment, accuracy

    def learning_rate(self) -> float:
        options, done = self.options, self.step / self.options.steps
        warm = min(1.0, (self.step + 1) / options.warmup)
        return options.learning_rate * warm * min(1.0, max(0.02, (1 - done) / options.decay))

    def train_step(self, batch: Batch) -> tuple[float, float, float]:
        """One optimiser step; noise and timesteps are a pure function of the seed and the step."""
        generator = torch.Generator().manual_seed(self.options.seed * 1_000_003 + self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate()
        flow, alignment, accuracy = self.losses(batch, generator, train=True)
        self.optimiser.zero_grad(set_to_none=True)
        (flow + self.options.alignment_weight * alignment).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.parts.parameters(), self.options.clip)
        self.optimiser.step()
        self.step += 1
        rate = 1 - min(self.options.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.parts.parameters()), rate)
        return flow.item(), alignment.item(), accuracy.item()

    @torch.no_grad()
    def validate(self, sets: Sequence[Batch]) -> dict[str, float]:
        """Velocity loss and phone accuracy of the averaged weights at three noise levels."""
        out = {}
        for t in (0.95, 0.6, 0.25):
            generator = torch.Generator().manual_seed(5)
            found = [self.losses(batch, generator, train=False, timestep=t) for batch in sets]
            out[f"loss@{t}"] = float(np.mean([f[0].item() for f in found]))
            out[f"accuracy@{t}"] = float(np.mean([f[2].item() for f in found]))
        return out

    def save(self, path: Path) -> None:
        """Everything needed to go on, in one safetensors file with the step in its metadata."""
        tensors = {f"parts.{k}": v for k, v in self.parts.state_dict().items() if "silence_latent" not in k}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items() if "silence_latent" not in k}
        names = [n for n, _ in self.parts.named_parameters()]
        for index, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{names[index]}.{k}": v for k, v in state.items()}
        meta = {"step": str(self.step), "options": json.dumps(asdict(self.options))}
        write_bytes_atomically(path, save({k: v.contiguous() for k, v in tensors.items()}, meta))

    def load(self, path: Path) -> None:
        """Go on where :meth:`save` left off."""
        from safetensors import safe_open

        with safe_open(path, "pt") as file:
            self.step = int(file.metadata()["step"])
        tensors = load_file(path)
        for prefix, module in (("parts.", self.parts), ("average.", self.average)):
            own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            missing, unexpected = module.load_state_dict(own, strict=False)
            if unexpected or [m for m in missing if "silence_latent" not in m]:
                raise ValueError(f"{path} is a checkpoint of another architecture: {missing[:3]} {unexpected[:3]}")
        state = self.optimiser.state_dict()
        for index, (name, _) in enumerate(self.parts.named_parameters()):
            found = {k.rpartition(".")[2]: v for k, v in tensors.items() if k.startswith(f"optimiser.{name}.")}
            if found:  # parameters that never had a gradient have no state
                state["state"][index] = found
        self.optimiser.load_state_dict(state)


def train(
    trainer: Pretrainer,
    clips: Sequence[Clip],
    validation: Sequence[Batch],
    checkpoint: Path,
    listen: Callable[[Progress], None],
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Train until ``options.steps`` or until ``stop()``, saving to ``checkpoint``; goes on from it where it exists."""
    options = trainer.options
    if checkpoint.exists():
        trainer.load(checkpoint)
    order = batches(clips, options.batch, options.seed)
    for _ in range(trainer.step):
        next(order)
    smooth: tuple[float, float, float] | None = None
    started, sung = time.monotonic(), 0
    while trainer.step < options.steps and not stop():
        numbers = next(order)
        now = trainer.train_step(collate([clips[i] for i in numbers]))
        smooth = now if smooth is None else _blend(smooth, now)
        sung += len(numbers)
        checked = None
        if validation and (trainer.step % options.validate_every == 0 or trainer.step == options.steps):
            checked = trainer.validate(validation)
        rate = sung / (time.monotonic() - started)
        loss, alignment, accuracy = smooth
        rated = Progress(trainer.step, options.steps, loss, alignment, accuracy, rate, trainer.learning_rate(), checked)
        listen(rated)
        if trainer.step % options.save_every == 0:
            trainer.save(checkpoint)
    trainer.save(checkpoint)


def _blend(
    smooth: tuple[float, float, float], now: tuple[float, float, float], keep: float = 0.98
) -> tuple[float, float, float]:
    first, second, third = (keep * a + (1 - keep) * b for a, b in zip(smooth, now, strict=True))
    return first, second, third

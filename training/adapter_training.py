"""Training of one adapter: peft's LoRA, flow matching, and the sharpness term of the -asr variants.

``v = noise - x0`` at ``x_t = t * noise + (1 - t) * x0`` (Lipman et al. 2023, in ACE-Step's convention). Knows nothing
of corpora, logs and files: it is handed batches and hands out numbers and tensors.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from peft import LoraConfig
from peft.tuners.lora import LoraLayer

from adapters.base import Base
from adapters.weights import LowRank
from engine.conditioning import TokenKind
from engine.song_model import SongModel
from training.adapter_batches import AdapterBatch
from training.adapter_options import TARGETS, AdapterOptions
from training.alignment import attach, set_key_mask
from training.manifest import CorpusError
from training.sharpness import STRATEGIES, AttentionState, measure_attention

ADAPTER = "trained"
#: Noise levels at which the validation loss is taken.
VALIDATION_TIMES = (0.95, 0.6, 0.25)


@dataclass(frozen=True)
class StepResult:
    """``loss`` of the flow; ``sharpness``: the term before its weight, 0 without one; ``attention`` where measured."""

    loss: float
    sharpness: float
    attention: AttentionState | None


def inject(transformer: Any, options: AdapterOptions) -> list[str]:
    """Put fresh LoRA layers into a transformer; returns the names of the layers they are in.

    Raises:
        CorpusError: the pattern of the target preset matches no layer.
    """
    config = LoraConfig(  # peft calls alpha an int, and computes with any number
        r=options.rank,
        lora_alpha=options.alpha,  # type: ignore[arg-type]
        lora_dropout=options.dropout,
        target_modules=TARGETS[options.targets],
    )
    torch.manual_seed(options.seed)
    try:
        transformer.add_adapter(config, ADAPTER)
    except ValueError as error:
        raise CorpusError(f"the target preset {options.targets!r} matches no layer of this model: {error}") from error
    return [name for name, module in transformer.named_modules() if isinstance(module, LoraLayer)]


def choose_layers(transformer: Any, options: AdapterOptions) -> tuple[int, ...]:
    """The layers whose cross-attention the sharpness term looks at.

    Raises:
        CorpusError: the options name one that the transformer lacks.
    """
    there = range(len(transformer.layers))
    chosen = tuple(there) if options.sharpness_layers is None else options.sharpness_layers
    if odd := sorted(set(chosen) - set(there)):
        raise CorpusError(f"--sharpness-layers names layer {odd[0]}: the model has layers 0 to {len(there) - 1}")
    return chosen


class AdapterTrainer:
    """The training state of one adapter. The song model is changed in place: load one for this purpose alone."""

    def __init__(self, model: SongModel, options: AdapterOptions, steps: int, accelerator: Accelerator) -> None:
        self.model, self.options, self.steps, self.accelerator = model, options, steps, accelerator
        self.base = Base.of(model.transformer)
        transformer = model.transformer
        self._chosen = choose_layers(transformer, options)
        self.layers = inject(transformer, options)
        if options.gradient_checkpointing:
            transformer.enable_gradient_checkpointing()
        self.processors = attach(transformer)
        self.parameters = {n: p for n, p in transformer.named_parameters() if p.requires_grad}
        for parameter in self.parameters.values():
            parameter.data = parameter.data.float()  # the base may be in half precision, what is learnt is not
        optimiser = torch.optim.AdamW(
            self.parameters.values(), lr=options.learning_rate, weight_decay=options.weight_decay
        )
        self.transformer, self.optimiser = accelerator.prepare(transformer, optimiser)
        self.null_condition = model.condition_encoder.null_condition_emb.detach().float().to(accelerator.device)
        self.step = 0

    def train_step(self, batches: Sequence[AdapterBatch], *, measure: bool) -> StepResult:
        """One optimiser step on ``accumulation`` batches, this process's share of them.

        Noise, times and dropout depend on seed, step and place among the batches of all processes: two processes do
        together what one does with twice the accumulation.

        Raises:
            CorpusError: loss or gradient are no numbers any more; nothing was changed.
        """
        options, accelerator = self.options, self.accelerator
        self.transformer.train()
        rate = options.learning_rate_at(self.step, self.steps)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        weight = options.sharpness_weight_at(self.step, self.steps) if options.sharpened else 0.0
        self._keep(weight > 0, measure)
        totals = torch.zeros(2, device=accelerator.device)
        state = None
        for place, batch in enumerate(batches):
            last = place == len(batches) - 1
            generator = self._seed(place)
            with nullcontext() if last else accelerator.no_sync(self.transformer):
                flow = self._flow(batch, generator, dropout=options.condition_dropout)
                sharpness = self._sharpness(batch) if weight else torch.zeros((), device=flow.device)
                accelerator.backward((flow + weight * sharpness) / len(batches))
            totals += torch.stack([flow.detach(), sharpness.detach()]) / len(batches)
            if measure and last:
                state = self._measure(batch)
        self._keep(False, False)
        norm = accelerator.clip_grad_norm_(self.parameters.values(), options.clip)
        loss, sharp = accelerator.reduce(totals, reduction="mean").tolist()
        if not math.isfinite(loss + sharp + float(norm)):
            raise CorpusError(
                f"the training came apart: at step {self.step + 1} the loss is {loss} and the gradient {float(norm)}; "
                f"lower --learning-rate, which is {options.learning_rate}, and look at the sounds of the corpus"
            )
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        return StepResult(loss, sharp, state)

    @torch.no_grad()
    def validate(self, batches: Sequence[AdapterBatch]) -> dict[str, float]:
        """Flow loss at three noise levels, the same noise every time, without dropout."""
        transformer = self.accelerator.unwrap_model(self.transformer)
        transformer.eval()
        out = {}
        for time in VALIDATION_TIMES:
            losses = []
            for number, batch in enumerate(batches):
                generator = torch.Generator().manual_seed(number)
                losses.append(self._flow(batch, generator, time=time, module=transformer).item())
            out[f"loss@{time:g}"] = sum(losses) / len(losses)
        return out

    def weights(self, dtype: torch.dtype = torch.float32) -> dict[str, LowRank]:
        """The adapter as trained so far, by the names of the layers it changes."""
        transformer: Any = self.accelerator.unwrap_model(self.transformer)
        modules = dict(transformer.named_modules())
        out = {}
        for name in self.layers:
            layer = modules[name]
            down, up = (getattr(layer, part)[ADAPTER].weight.detach() for part in ("lora_A", "lora_B"))
            scale = self.options.alpha / self.options.rank
            out[name] = LowRank(down.to("cpu", dtype).clone(), up.to("cpu", dtype).clone(), scale)
        return out

    def state(self) -> dict[str, torch.Tensor]:
        """Weights and optimiser moments by name, to be saved."""
        out = {f"adapter.{name}": p.detach().cpu() for name, p in self.parameters.items()}
        moments = self.optimiser.state_dict()["state"]
        for index, name in enumerate(self.parameters):
            out |= {f"optimiser.{name}.{key}": value.cpu() for key, value in moments.get(index, {}).items()}
        return out

    def restore(self, tensors: Mapping[str, torch.Tensor], step: int) -> None:
        """Go on from what :meth:`state` gave after ``step`` steps.

        Raises:
            CorpusError: the tensors are those of another adapter.
        """
        wanted = {f"adapter.{name}" for name in self.parameters}
        found = {name for name in tensors if name.startswith("adapter.")}
        if wanted != found:
            odd = sorted(wanted ^ found)[0]
            raise CorpusError(f"the checkpoint belongs to another adapter ({odd} differs): train into another --out")
        for name, parameter in self.parameters.items():
            parameter.data.copy_(tensors[f"adapter.{name}"])
        state = self.optimiser.state_dict()
        for index, name in enumerate(self.parameters):
            prefix = f"optimiser.{name}."
            state["state"][index] = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        self.optimiser.load_state_dict(state)
        self.step = step

    def _seed(self, place: int) -> torch.Generator:
        """Seeds dropout, and returns the generator of noise and times."""
        number = place * self.accelerator.num_processes + self.accelerator.process_index
        key = f"{self.options.seed}/{self.step}/{number}"
        seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:7], "big")
        torch.manual_seed(seed)
        return torch.Generator().manual_seed(seed + 1)

    def _flow(
        self,
        batch: AdapterBatch,
        generator: torch.Generator,
        *,
        dropout: float = 0.0,
        time: float | None = None,
        module: Any = None,
    ) -> torch.Tensor:
        """Mean squared error of the velocity over the clips' own frames."""
        device, rows = self.accelerator.device, len(batch.latents)
        kept = torch.rand(rows, generator=generator) >= dropout
        if time is None:
            times = self.options.draw_timesteps(rows, self.model.preset, generator)
        else:
            times = torch.full((rows,), time)
        noise = torch.randn(batch.latents.shape, generator=generator).to(device)
        self._conditioned = (kept if bool(kept.any()) else ~kept).to(device)
        batch, times = batch.to(device), times.to(device)
        condition = torch.where(kept.to(device)[:, None, None], batch.condition, self.null_condition)
        set_key_mask(self.processors, self._visible(batch))
        share = times[:, None, None]
        dtype = self.model.dtype
        velocity = (module or self.transformer)(
            (share * noise + (1 - share) * batch.latents).to(dtype),
            times.to(dtype),
            times.to(dtype),
            condition.to(dtype),
            torch.cat([batch.source, torch.ones_like(batch.source)], -1).to(dtype),
            return_dict=False,
        )[0]
        error: torch.Tensor = ((velocity.float() - (noise - batch.latents)) ** 2).mean(-1)
        return (error * batch.frames).sum() / batch.frames.sum()

    def _visible(self, batch: AdapterBatch) -> torch.Tensor:
        """Which tokens attention may see, [batch, tokens]."""
        if self.options.padding == "visible":
            return torch.ones_like(batch.kinds, dtype=torch.bool)
        return batch.kinds != TokenKind.PADDING

    def _keep(self, regularised: bool, measured: bool) -> None:
        for layer, processor in enumerate(self.processors):
            processor.keep = measured or (regularised and layer in self._chosen)
            processor.probabilities = None

    def _maps(self, layers: Sequence[int]) -> list[torch.Tensor]:
        found = [self.processors[layer].probabilities for layer in layers]
        return [p.float() for p in found if p is not None]

    def _query_frames(self, batch: AdapterBatch, queries: int) -> torch.Tensor:
        """The frame mask at the transformer's own resolution, [batch, queries]."""
        patch = -(-batch.frames.shape[1] // queries)
        return batch.frames[:, ::patch].to(self.accelerator.device)

    def _sharpness(self, batch: AdapterBatch) -> torch.Tensor:
        kinds = batch.kinds.to(self.accelerator.device)
        strategy = STRATEGIES[self.options.sharpness]
        maps = self._maps(self._chosen)
        terms = [strategy(m, kinds, self._query_frames(batch, m.shape[2])) for m in maps]
        return torch.stack(terms).mean()

    def _measure(self, batch: AdapterBatch) -> AttentionState:
        """Of the clips whose conditioning was not dropped: the others have no words to look at."""
        rows = self._conditioned
        maps = [found[rows] for found in self._maps(range(len(self.processors)))]
        frames = self._query_frames(batch, maps[0].shape[2])[rows]
        return measure_attention(maps, batch.kinds.to(self.accelerator.device)[rows], frames)

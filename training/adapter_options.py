"""How an adapter is trained: the study's recipe, and what may be changed about it."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from adapters.card import Variant
from adapters.field_faults import name_fault, say_fault
from engine.denoising import timesteps
from engine.presets import Preset
from training.manifest import CorpusError
from training.sharpness import StrategyName

Targets = Literal["cross", "self", "both", "both+mlp"]

_PROJECTIONS = r"(?:to_q|to_k|to_v|to_out\.0)"
_MLP = r"mlp\.(?:gate_proj|up_proj|down_proj)"
#: Preset -> pattern of the full names of the layers an adapter changes.
TARGETS: dict[Targets, str] = {
    "cross": rf"layers\.\d+\.cross_attn\.{_PROJECTIONS}",
    "self": rf"layers\.\d+\.self_attn\.{_PROJECTIONS}",
    "both": rf"layers\.\d+\.(?:self|cross)_attn\.{_PROJECTIONS}",
    "both+mlp": rf"layers\.\d+\.(?:(?:self|cross)_attn\.{_PROJECTIONS}|{_MLP})",
}


class AdapterOptions(BaseModel):
    """Everything that decides how an adapter comes out, besides corpus and song model.

    ``steps`` replaces ``epochs``. ``batch`` clips go through the model at once and ``accumulation`` such batches make
    one step of the optimiser. ``padding``: in batches, padded conditioning is hidden from attention, or visible as
    in the trainer of the study. ``timesteps`` None: as the song model's preset wants them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    variant: Variant
    # adapter
    targets: Targets = "both"
    rank: int = Field(default=8, ge=1, le=1024)
    alpha: float = Field(default=16.0, gt=0, le=4096)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    # length
    epochs: float = Field(default=55.0, gt=0, le=10_000)
    steps: int | None = Field(default=None, ge=1, le=10_000_000)
    batch: int = Field(default=1, ge=1, le=1024)
    accumulation: int = Field(default=4, ge=1, le=4096)
    seed: int = Field(default=0, ge=0, lt=2**31)
    # optimiser
    learning_rate: float = Field(default=1e-4, gt=0, le=1)
    warmup: int = Field(default=100, ge=0)
    weight_decay: float = Field(default=0.01, ge=0, le=1)
    clip: float = Field(default=1.0, gt=0)
    # flow matching
    timesteps: Literal["turbo", "logit-normal"] | None = None
    time_mean: float = Field(default=0.3, ge=-5, le=5)
    time_spread: float = Field(default=1.2, gt=0, le=5)
    condition_dropout: float = Field(default=0.0, ge=0, le=1)
    padding: Literal["masked", "visible"] = "masked"
    # attention sharpness regularisation, for the -asr variants
    sharpness: StrategyName = "entropy"
    sharpness_weight: float = Field(default=0.02, ge=0, le=100)
    sharpness_schedule: Literal["constant", "ramp", "decay"] = "constant"
    sharpness_layers: tuple[int, ...] | None = None
    # machine
    mixed_precision: Literal["no", "bf16"] = "no"
    gradient_checkpointing: bool = False
    # book-keeping, in steps
    validation_share: float = Field(default=0.05, ge=0, le=0.5)
    measure_every: int = Field(default=25, ge=1)
    validate_every: int = Field(default=100, ge=1)
    save_every: int = Field(default=100, ge=1)

    @field_validator("sharpness_layers")
    @classmethod
    def _layers_are_some(cls, layers: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if layers is not None and not layers:
            raise ValueError("it names no layer; leave it out for all of them")
        return layers

    @model_validator(mode="after")
    def _words_are_there_to_sharpen(self) -> Self:
        if self.variant == "nolyrics-asr" and self.sharpness != "entropy":
            raise ValueError(
                f"--sharpness {self.sharpness} looks at words, and nolyrics-asr has none: choose entropy, or train "
                "lyrics-asr"
            )
        return self

    @property
    def with_words(self) -> bool:
        return self.variant.startswith("lyrics")

    @property
    def sharpened(self) -> bool:
        return self.variant.endswith("-asr") and self.sharpness_weight > 0

    def learning_rate_at(self, step: int, steps: int) -> float:
        """Linear warm-up, then a cosine to zero over the rest."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, steps - self.warmup)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

    def sharpness_weight_at(self, step: int, steps: int) -> float:
        """``ramp`` grows linearly from 0 over the first half; ``decay`` falls linearly to 0 over the run."""
        done = step / max(1, steps)
        share = {"constant": 1.0, "ramp": min(1.0, 2 * done), "decay": 1 - done}[self.sharpness_schedule]
        return self.sharpness_weight * share

    def draw_timesteps(self, rows: int, preset: Preset, generator: torch.Generator) -> torch.Tensor:
        """Times [rows] in (0, 1]: turbo's own grid, or the sigmoid of a normal (Esser et al. 2024)."""
        kind = self.timesteps or ("turbo" if preset.name == "turbo" else "logit-normal")
        if kind == "turbo":
            grid = timesteps(8, 3.0)[:-1]
            return grid[torch.randint(len(grid), (rows,), generator=generator)]
        return torch.sigmoid(torch.randn(rows, generator=generator) * self.time_spread + self.time_mean)


def read_options(**fields: object) -> AdapterOptions:
    """Options from the command line.

    Raises:
        CorpusError: one sentence per option that cannot be.
    """
    try:
        return AdapterOptions.model_validate(fields)
    except ValidationError as error:
        raise CorpusError("; ".join(_describe(e) for e in error.errors())) from None


def _describe(error: Any) -> str:
    said = say_fault(error, None, AdapterOptions, "a training")
    if not error["loc"]:  # of options that do not go together
        return said
    return name_fault(f"--{str(error['loc'][0]).replace('_', '-')}", said)

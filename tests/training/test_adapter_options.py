"""The recipe of the study by default, its schedules by their formula, and one sentence for what cannot be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AceStepTransformer1DModel
from torch import nn

from engine.presets import PRESETS
from training.adapter_options import AdapterOptions, Targets, read_options
from training.adapter_training import inject
from training.manifest import CorpusError

TURBO_TIMES = (1, 0.9545, 0.9, 0.8333, 0.75, 0.6429, 0.5, 0.3)
WIDTH, HEADS, KV_HEADS, HEAD, MLP, LAYERS, RANK = 2048, 16, 8, 128, 6144, 24, 8


def options(**fields: Any) -> AdapterOptions:
    return AdapterOptions(**{"variant": "lyrics-asr", **fields})


def test_the_defaults_are_the_recipe_of_the_study() -> None:
    found = options()
    assert (found.rank, found.alpha, found.dropout, found.targets) == (8, 16, 0.1, "both")
    assert (found.learning_rate, found.warmup, found.batch, found.accumulation) == (1e-4, 100, 1, 4)
    assert (found.epochs, found.sharpness, found.sharpness_weight, found.sharpness_layers) == (
        55,
        "entropy",
        0.02,
        None,
    )


def lora_size(*shapes: tuple[int, int]) -> int:
    return sum(RANK * (inner + out) for out, inner in shapes)


ATTENTION = lora_size((HEADS * HEAD, WIDTH), (KV_HEADS * HEAD, WIDTH), (KV_HEADS * HEAD, WIDTH), (WIDTH, HEADS * HEAD))
FEED_FORWARD = lora_size((MLP, WIDTH), (MLP, WIDTH), (WIDTH, MLP))


@pytest.mark.parametrize(
    ("targets", "matrices", "parameters"),
    [
        ("both", 192, 5_505_024),
        ("cross", 96, LAYERS * ATTENTION),
        ("self", 96, LAYERS * ATTENTION),
        ("both+mlp", 264, LAYERS * (2 * ATTENTION + FEED_FORWARD)),
    ],
)
def test_presets_touch_their_layers_of_the_full_size_model(targets: Targets, matrices: int, parameters: int) -> None:
    with torch.device("meta"):
        transformer: Any = AceStepTransformer1DModel()
        names = inject(transformer, options(targets=targets))
    trained = [p for p in transformer.parameters() if p.requires_grad]
    assert len(names) == matrices and sum(p.numel() for p in trained) == parameters
    kinds = {name.split(".", 2)[2].rsplit(".0", 1)[0] for name in names}
    projections = {"to_q", "to_k", "to_v", "to_out"}
    wanted = {
        f"{room}_attn.{p}" for room in ("cross", "self") if room in targets or "both" in targets for p in projections
    }
    assert kinds == wanted | ({"mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"} if "mlp" in targets else set())


def test_a_model_without_such_layers_is_refused() -> None:
    class Foreign(nn.Module):
        def add_adapter(self, config: object, name: str) -> None:
            raise ValueError("Target modules not found")

    with pytest.raises(CorpusError, match="'cross' matches no layer"):
        inject(Foreign(), options(targets="cross"))


@pytest.mark.parametrize(
    ("step", "rate"),
    [(0, 1e-6), (49, 5e-5), (99, 1e-4), (100, 1e-4), (550, 5e-5), (325, 1e-4 * (0.5 + math.sqrt(2) / 4)), (1000, 0)],
)
def test_the_rate_warms_up_and_falls_along_a_cosine(step: int, rate: float) -> None:
    assert options().learning_rate_at(step, 1000) == pytest.approx(rate, abs=1e-12)


def test_a_run_shorter_than_its_warm_up_never_falls() -> None:
    rates = [options(warmup=10).learning_rate_at(step, 5) for step in range(5)]
    assert rates == pytest.approx([1e-5, 2e-5, 3e-5, 4e-5, 5e-5])
    assert options(warmup=0).learning_rate_at(0, 1) == 1e-4


@pytest.mark.parametrize(
    ("schedule", "weights"),
    [("constant", [0.02, 0.02, 0.02, 0.02]), ("ramp", [0, 0.01, 0.02, 0.02]), ("decay", [0.02, 0.015, 0.01, 0.005])],
)
def test_the_weight_of_the_sharpness_term_follows_its_schedule(schedule: str, weights: list[float]) -> None:
    chosen = options(sharpness_schedule=schedule)
    assert [chosen.sharpness_weight_at(step, 100) for step in (0, 25, 50, 75)] == pytest.approx(weights)


def test_turbo_draws_its_eight_times_alone_and_each_as_often() -> None:
    drawn = options().draw_timesteps(8000, PRESETS["turbo"], torch.Generator().manual_seed(0))
    values, counts = np.unique(drawn.numpy(), return_counts=True)
    assert values[::-1].tolist() == pytest.approx(TURBO_TIMES, abs=5e-5)
    assert counts.min() > 850 and counts.max() < 1150
    assert set(options(timesteps="turbo").draw_timesteps(99, PRESETS["base"], torch.Generator()).tolist()) <= set(
        values.tolist()
    )


@pytest.mark.parametrize("preset", ["tiny", "base", "sft"])
def test_other_models_draw_continuous_times_between_noise_and_song(preset: str) -> None:
    drawn = options().draw_timesteps(4000, PRESETS[preset], torch.Generator().manual_seed(0))
    assert len(set(drawn.tolist())) > 3900 and 0 < float(drawn.min()) < float(drawn.max()) < 1
    logits = torch.logit(drawn)
    assert logits.mean().item() == pytest.approx(0.3, abs=0.08) and logits.std().item() == pytest.approx(1.2, abs=0.08)


def test_a_term_of_weight_zero_is_no_term() -> None:
    assert options().sharpened and not options(sharpness_weight=0).sharpened
    assert not options(variant="lyrics").sharpened and options(variant="nolyrics-asr").sharpened


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"rank": 0}, "--rank: 0 is too small: choose 1 to"),
        ({"steps": 0}, "--steps: 0 is too small: choose 1 "),
        ({"sharpness_weight": math.nan}, "--sharpness-weight must be a finite number, not nan"),
        ({"sharpness_layers": ()}, "--sharpness-layers: it names no layer; leave it out for all"),
        ({"learning_rate": math.inf}, "--learning-rate must be a finite number, not inf"),
        ({"dropout": 1.0}, "--dropout: 1 is too large: choose at least 0 and less than 1"),
        ({"rank": 0, "steps": 0}, "--rank: 0 is .*; --steps: 0 is "),
        (
            {"variant": "nolyrics-asr", "sharpness": "mutual-information"},
            "^--sharpness mutual-information looks at words",
        ),
        ({"speed": 3}, "--speed is not a field of a training: leave it out"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        read_options(**{"variant": "lyrics", **fields})

"""An adapter in memory: its change, whether it fits, and what a card says of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from adapters.base import Base
from adapters.errors import AdapterError
from adapters.weights import LowRank, check_fit, describe_weights, peft_config, peft_tensors
from tests.adapters.exported import adapter, transformer

Q, V, OUT = "layers.0.cross_attn.to_q", "layers.1.self_attn.to_v", "layers.2.self_attn.to_out.0"


@pytest.fixture(scope="module")
def base() -> Base:
    return Base.of(transformer())


@pytest.fixture
def weights() -> dict[str, LowRank]:
    return adapter(transformer(), ("to_q", "to_v"), rank=2, scale=1.5)


def test_the_change_is_up_times_down_times_scale() -> None:
    layer = LowRank(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[10.0], [20.0]]), 0.5)
    assert (layer.rank, layer.shape) == (1, (2, 3))
    assert layer.delta().tolist() == [[5, 10, 15], [10, 20, 30]]


def test_the_change_of_half_precision_weights_is_computed_in_single() -> None:
    down, up = torch.full((4, 2), 100.0).half(), torch.full((3, 4), 200.0).half()
    assert LowRank(down, up).delta().tolist() == [[80000.0] * 2] * 3, "beyond what float16 holds"


def test_an_adapter_that_fits_is_let_through(base: Base, weights: dict[str, LowRank]) -> None:
    check_fit(weights, base)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"layers.9.self_attn.to_q": LowRank(torch.ones(1, 48), torch.ones(64, 1))}, "layers.9.self_attn.to_q is no"),
        ({Q: LowRank(torch.ones(1, 40), torch.ones(64, 1))}, f"{Q} is 64 x 40, the song model's 64 x 48"),
        ({Q: LowRank(torch.ones(2, 48), torch.ones(64, 3))}, f"{Q} has rank 2 on one side and 3 on the other"),
        ({Q: LowRank(torch.full((1, 48), torch.nan), torch.ones(64, 1))}, f"{Q} holds values that are no numbers"),
        ({Q: LowRank(torch.ones(1, 48), torch.full((64, 1), torch.inf))}, f"{Q} holds values that are no numbers"),
    ],
)
def test_what_does_not_fit_is_named(
    base: Base, weights: dict[str, LowRank], change: dict[str, LowRank], told: str
) -> None:
    with pytest.raises(AdapterError) as refused:
        check_fit({**weights, **change}, base, "adapter odd")
    assert told in str(refused.value) and str(refused.value).startswith("adapter odd does not fit")


def test_many_problems_are_counted(base: Base) -> None:
    odd = {f"nowhere.{i}": LowRank(torch.ones(1, 4), torch.ones(4, 1)) for i in range(9)}
    with pytest.raises(AdapterError, match=r"nowhere\.3 .*; and 5 more"):
        check_fit(odd, base)


def test_an_adapter_that_does_nothing_is_refused(base: Base, weights: dict[str, LowRank]) -> None:
    with pytest.raises(AdapterError, match="changes no layer at all"):
        check_fit({}, base)
    untrained = {name: replace(layer, up=torch.zeros_like(layer.up)) for name, layer in weights.items()}
    with pytest.raises(AdapterError, match="changes nothing: all its weights are zero"):
        check_fit(untrained, base)
    with pytest.raises(AdapterError, match="changes nothing"):
        check_fit({name: replace(layer, scale=0.0) for name, layer in weights.items()}, base)
    check_fit({**untrained, Q: weights[Q]}, base)


def test_a_card_tells_the_commonest_rank_and_every_kind_of_layer() -> None:
    shapes = {Q: (64, 48), V: (32, 48), OUT: (48, 64)}
    ranks = {Q: 3, V: 3, OUT: 5}
    weights = {
        name: LowRank(torch.ones(ranks[name], inner), torch.ones(out, ranks[name]), 2.0)
        for name, (out, inner) in shapes.items()
    }
    assert describe_weights(weights) == {
        "rank": 3,
        "alpha": 6.0,
        "layers": 3,
        "parameters": 3 * (64 + 48) + 3 * (32 + 48) + 5 * (48 + 64),
        "targets": ("cross_attn.to_q", "self_attn.to_out.0", "self_attn.to_v"),
    }


@pytest.mark.parametrize("mixed", [False, True])
def test_peft_itself_makes_the_same_change_of_its_files(mixed: bool) -> None:
    import peft

    weights = adapter(transformer(), ("to_q", "to_out.0"), rank=3, scale=1.25)
    if mixed:
        weights[Q] = replace(weights[Q], scale=0.3)
    model = transformer()
    config = peft.LoraConfig(**{k: v for k, v in peft_config(weights).items() if k != "peft_type"})
    wrapped: Any = peft.inject_adapter_in_model(config, model)
    loaded: Any = peft.set_peft_model_state_dict(
        wrapped,
        {key.removeprefix("base_model.model."): tensor for key, tensor in peft_tensors(weights).items()},
    )
    assert not loaded.unexpected_keys
    found: dict[str, Any] = {
        name: m for name, m in wrapped.named_modules() if isinstance(m, peft.tuners.lora.LoraLayer)
    }
    assert found.keys() == weights.keys()
    for name, layer in found.items():
        torch.testing.assert_close(layer.get_delta_weight("default"), weights[name].delta())


def test_original_names_are_those_of_ace_steps_own_trainer() -> None:
    weights = adapter(transformer(), ("to_out.0",), rank=2, scale=1.0)
    assert "base_model.model.layers.0.cross_attn.o_proj.lora_A.weight" in peft_tensors(weights, original=True)
    assert "layers.2.self_attn.o_proj" in peft_config(weights, original=True)["target_modules"]

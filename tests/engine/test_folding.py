"""Folding: what sings is what peft would make of the same adapters, and what is put back is what was there."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import peft
import pytest
import torch

from adapters.base import Base
from adapters.errors import AdapterError
from adapters.store import AdapterStore
from adapters.weights import AdapterWeights, LowRank, peft_config, peft_tensors
from engine.folding import Folding, summed
from tests.adapters.exported import transformer, velocity
from tests.shelf import make_shelf, planted, put

COMPOSITIONS = [{"folk": 1.0}, {"rock": 1.0}, {"folk": 0.6, "rock": 0.4}, {"folk": -0.7, "rock": 1.9}]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> AdapterStore:
    return make_shelf(tmp_path_factory.mktemp("shelf"), transformer())


def with_peft(parts: list[tuple[float, AdapterWeights]]) -> Any:
    """The transformer with every adapter injected and active at once, each scaled by its weight."""
    model = transformer()
    names = []
    for number, (weight, weights) in enumerate(parts):
        name = f"adapter{number}"
        settings = {k: v for k, v in peft_config(weights).items() if k != "peft_type"}
        model.add_adapter(peft.LoraConfig(**settings), adapter_name=name)
        tensors = {key.removeprefix("base_model.model."): t for key, t in peft_tensors(weights).items()}
        peft.set_peft_model_state_dict(model, tensors, adapter_name=name)
        for module in model.modules():
            if isinstance(module, peft.tuners.lora.LoraLayer) and name in module.scaling:
                module.scale_layer(1.0)
                module.scaling[name] *= weight
        names.append(name)
    model.set_adapter(names)
    return model.eval()


def state(model: Any) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.filterwarnings("ignore:Already found a `peft_config` attribute")
@pytest.mark.parametrize("composition", COMPOSITIONS)
def test_a_folded_composition_sings_as_peft_does(shelf: AdapterStore, composition: dict[str, float]) -> None:
    model = transformer()
    Folding(model).fold(composition, shelf)
    wanted = velocity(with_peft([(weight, planted(model, name)) for name, weight in composition.items()]))
    assert (velocity(model) - wanted).abs().max() < 1e-5
    assert (velocity(transformer()) - wanted).abs().max() > 1e-2, "the comparison is of changed songs"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_fifty_changes_leave_every_bit_where_it_was(tmp_path: Path, dtype: torch.dtype) -> None:
    model = transformer().to(dtype)
    shelf = make_shelf(tmp_path, model)
    folding, before = Folding(model), state(model)
    for number in range(50):
        folding.fold(COMPOSITIONS[number % len(COMPOSITIONS)], shelf)
    assert not same(state(model), before)
    folding.fold({}, shelf)
    assert same(state(model), before)
    assert all(w.dtype == dtype for w in model.state_dict().values())


def test_switching_never_adds_up(shelf: AdapterStore) -> None:
    model, fresh = transformer().to(torch.bfloat16), transformer().to(torch.bfloat16)
    folding = Folding(model)
    for composition in (*COMPOSITIONS, {}, *COMPOSITIONS, {"folk": 0.6, "rock": 0.4}):
        folding.fold(composition, shelf)
    Folding(fresh).fold({"folk": 0.6, "rock": 0.4}, shelf)
    assert same(state(model), state(fresh))


def test_the_change_is_added_in_single_precision(shelf: AdapterStore) -> None:
    model = transformer().to(torch.bfloat16)
    pristine = state(model)
    Folding(model).fold({"rock": 0.25}, shelf)
    name, layer = next(iter(planted(model, "rock").items()))
    exact = pristine[f"{name}.weight"].double() + 0.25 * layer.scale * layer.up.double() @ layer.down.double()
    assert torch.equal(model.get_submodule(name).weight, exact.float().to(torch.bfloat16))


def test_a_damaged_adapter_leaves_the_base_untouched(tmp_path: Path) -> None:
    model = transformer()
    shelf = make_shelf(tmp_path, model)
    folding, before = Folding(model), state(model)
    folding.fold({"folk": 1.0}, shelf)
    file = tmp_path / "rock" / "adapter_model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    for composition in ({"rock": 1.0}, {"folk": 0.5, "rock": 0.5}, {"folk": 1.0, "nobody": 1.0}):
        with pytest.raises(AdapterError):
            folding.fold(composition, shelf)
        assert same(state(model), before)
    file.write_bytes(whole)
    folding.fold({"rock": 1.0}, shelf)
    assert not same(state(model), before)


def test_an_error_half_way_leaves_the_base_untouched(shelf: AdapterStore, monkeypatch: pytest.MonkeyPatch) -> None:
    class TooLarge:
        def to(self, _: object) -> torch.Tensor:
            raise MemoryError

    model = transformer()
    folding, before = Folding(model), state(model)
    with monkeypatch.context() as patch:
        changes: dict[str, Any] = dict(summed([(1.0, planted(model, "folk"))]))
        changes[sorted(changes)[len(changes) // 2]] = TooLarge()
        patch.setattr("engine.folding.summed", lambda _: changes)
        with pytest.raises(MemoryError):
            folding.fold({"folk": 1.0}, shelf)
    assert same(state(model), before)
    folding.fold({}, shelf)
    assert same(state(model), before)
    folding.fold({"folk": 1.0}, shelf)
    assert not same(state(model), before)


def test_an_adapter_of_another_model_is_refused(shelf: AdapterStore) -> None:
    model = transformer()
    model.get_submodule("layers.0.self_attn.to_q").weight[0, 0] += 1
    before = state(model)
    with pytest.raises(AdapterError, match="was made for the song model planted"):
        Folding(model).fold({"folk": 1.0}, shelf)
    assert same(state(model), before)


def test_the_same_composition_is_read_once_and_a_replaced_adapter_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = transformer()
    pristine, shelf = copy.deepcopy(model), make_shelf(tmp_path, model)
    folding, loaded = Folding(model), list[str]()
    load = AdapterStore.load

    def watched(self: AdapterStore, name: str, base: Base) -> dict[str, LowRank]:
        loaded.append(name)
        return load(self, name, base)

    monkeypatch.setattr(AdapterStore, "load", watched)
    for _ in range(3):
        folding.fold({"folk": 0.5, "rock": 0.5}, shelf)
        folding.fold({"rock": 0.5, "folk": 0.5}, shelf)
    assert loaded == ["folk", "rock"]
    folding.fold({"folk": 1.0}, shelf)
    old = velocity(model)
    shelf.remove("folk")
    put(shelf, "folk", planted(pristine, "folk", seed=77), pristine)
    folding.fold({"folk": 1.0}, shelf)
    fresh = copy.deepcopy(pristine)
    Folding(fresh).fold({"folk": 1.0}, shelf)
    assert torch.equal(velocity(model), velocity(fresh)) and not torch.equal(velocity(model), old)


def test_changes_of_one_layer_add_up_and_others_stay_apart() -> None:
    def ones(rank: int, scale: float) -> LowRank:
        return LowRank(torch.ones(rank, 3), torch.ones(2, rank), scale)

    found = summed([(0.5, {"a": ones(2, 1.0), "b": ones(1, 1.0)}), (-2.0, {"a": ones(3, 0.5), "c": ones(1, 1.0)})])
    assert {name: set(change.flatten().tolist()) for name, change in found.items()} == {
        "a": {0.5 * 2 - 2 * 3 * 0.5},
        "b": {0.5},
        "c": {-2.0},
    }

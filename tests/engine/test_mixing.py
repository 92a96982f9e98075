"""Adapters in a forward pass: what sings is what peft would make of them, and the transformer stays as it was."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch

from adapters.errors import AdapterError
from adapters.store import AdapterStore
from adapters.weights import AdapterWeights, LowRank
from engine.bank import AdapterBank, Change, LoadedAdapter, Voices, fingerprint, summed, touched
from engine.mixing import KEPT_STACKS, Mixer
from tests.adapters.exported import adapter, transformer, velocity
from tests.engine.reference import with_peft
from tests.shelf import make_shelf, planted, put

COMPOSITIONS = [{}, {"folk": 1.0}, {"rock": 1.0}, {"folk": 0.6, "rock": 0.4}, {"folk": -0.7, "rock": 1.9}]
pytestmark = pytest.mark.filterwarnings("ignore:Already found a `peft_config` attribute")


def own(model: Any) -> dict[str, AdapterWeights]:
    """Adapters of other kinds: of the MLP and the time embedding, and one that is all rank, as LoKr may be."""
    whole = {
        name: m for name, m in model.named_modules() if name in ("layers.0.self_attn.to_k", "layers.1.mlp.up_proj")
    }
    g = torch.Generator().manual_seed(9)
    return {
        "mlp": adapter(model, ("gate_proj", "down_proj", "time_proj", "linear_1"), 3, 1.5, seed=4),
        "lokr": {
            name: LowRank(0.1 * torch.randn(m.in_features, m.in_features, generator=g), change, 0.5)
            for name, m in whole.items()
            for change in [0.1 * torch.randn(m.out_features, m.in_features, generator=g)]
        },
    }


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> AdapterStore:
    model = transformer()
    shelf = make_shelf(tmp_path_factory.mktemp("shelf"), model)
    for name, weights in own(model).items():
        put(shelf, name, weights, model)
    return shelf


def weights_of(model: Any, name: str) -> AdapterWeights:
    return {**own(model)}.get(name) or planted(model, name)


def peft_velocity(composition: dict[str, float]) -> torch.Tensor:
    model = transformer()
    return velocity(with_peft(model, [(weight, weights_of(model, name)) for name, weight in composition.items()]))


def state(model: Any) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class Sung:
    """A transformer, a bank and a mixer. Cross-attention keys and values are not made in a pass, so here they are mixed
    by hand: the two rows of ``velocity`` sing with two compositions."""

    def __init__(self, shelf: AdapterStore) -> None:
        self.model = transformer()
        self.bank = AdapterBank(self.model, shelf)
        self.mixer = Mixer(self.bank)

    def rows(self, *compositions: dict[str, float], fold: bool = True) -> torch.Tensor:
        voices = [self.bank.voices(composition) for composition in compositions]
        with self.mixer.applied(voices, fold), prepared(self.bank, voices):
            return velocity(self.model)


class prepared:
    """The layers that a pass leaves to the preparation of a song, computed row by row."""

    def __init__(self, bank: AdapterBank, voices: list[Voices]) -> None:
        self.bank, self.voices = bank, voices
        self.names = [n for n in bank.modules if n.endswith((".cross_attn.to_k", ".cross_attn.to_v"))]

    def __enter__(self) -> None:
        for name in self.names:
            self.bank.modules[name].__dict__["forward"] = lambda x, name=name: torch.stack(
                [self.bank.linear(name, row, voices) for row, voices in zip(x, self.voices, strict=True)]
            )

    def __exit__(self, *_: object) -> None:
        for name in self.names:
            self.bank.modules[name].__dict__.pop("forward")


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("composition", [*COMPOSITIONS, {"mlp": 0.8}, {"lokr": 1.0, "folk": 0.5, "mlp": -1.2}])
def test_a_composition_sings_as_peft_does(shelf: AdapterStore, composition: dict[str, float], fold: bool) -> None:
    sung, wanted = Sung(shelf), peft_velocity(composition)
    before = state(sung.model)
    assert (sung.rows(composition, composition, fold=fold) - wanted).abs().max() < 1e-5
    assert not composition or (velocity(sung.model) - wanted).abs().max() > 1e-3, "of changed songs"
    assert same(state(sung.model), before) and not any("forward" in m.__dict__ for m in sung.model.modules())


@pytest.mark.parametrize("pair", list(itertools.combinations([*COMPOSITIONS, {"mlp": 1.0}, {"lokr": 0.7}], 2)))
def test_every_row_sings_with_its_own(shelf: AdapterStore, pair: tuple[dict[str, float], dict[str, float]]) -> None:
    mixed = Sung(shelf).rows(*pair)
    for row, composition in enumerate(pair):
        assert (mixed[row] - peft_velocity(composition)[row]).abs().max() < 1e-5


def test_fewer_rows_are_the_first_ones(shelf: AdapterStore) -> None:
    sung = Sung(shelf)
    name, x = "layers.0.cross_attn.to_q", torch.randn(2, 5, 48)
    voices = [sung.bank.voices(c) for c in ({"folk": 1.0}, {"folk": -0.5}, {})]
    with sung.mixer.applied(voices):
        found = sung.bank.modules[name](x)
    wanted = torch.stack([sung.bank.linear(name, row, v) for row, v in zip(x, voices, strict=False)])
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_fifty_changes_leave_every_bit_where_it_was(tmp_path: Path, dtype: torch.dtype) -> None:
    model = transformer().to(dtype)
    bank = AdapterBank(model, make_shelf(tmp_path, model))
    mixer, before = Mixer(bank), state(model)
    x = torch.randn(2, 5, 48, dtype=dtype)
    for number in range(50):
        voices = [bank.voices(COMPOSITIONS[(number + row) % len(COMPOSITIONS)]) for row in range(2)]
        with mixer.applied(voices), torch.no_grad():
            model.layers[0].self_attn.to_q(x)
    assert same(state(model), before) and all(w.dtype == dtype for w in model.state_dict().values())


def test_the_change_is_folded_in_single_precision(shelf: AdapterStore) -> None:
    model = transformer().to(torch.bfloat16)
    layer = planted(model, "rock")["layers.0.self_attn.to_v"]
    change = Change(layer.down.bfloat16(), layer.up.bfloat16() * layer.scale)
    voices = ((LoadedAdapter("rock", "", {"layers.0.self_attn.to_v": change}), 0.25),)
    mixer = Mixer(AdapterBank(model))
    pristine = model.layers[0].self_attn.to_v.weight.clone()
    assert change.up is not None and change.down is not None
    exact = (pristine.double() + 0.25 * change.up.double() @ change.down.double()).float().bfloat16()
    x = torch.eye(48, dtype=torch.bfloat16)
    with mixer.applied([voices]), torch.no_grad():
        assert torch.equal(model.layers[0].self_attn.to_v(x).T, exact)


def test_an_error_half_way_leaves_the_base_untouched(shelf: AdapterStore) -> None:
    sung = Sung(shelf)
    plain = velocity(sung.model)
    with pytest.raises(MemoryError), sung.mixer.applied([sung.bank.voices({"folk": 1.0})] * 2):
        raise MemoryError
    assert torch.equal(velocity(sung.model), plain)


def test_folds_and_stacks_are_reused_and_bounded(shelf: AdapterStore) -> None:
    sung = Sung(shelf)
    folk = sung.bank.voices({"folk": 1.0})
    assert sung.mixer.fold(folk) is sung.mixer.fold(sung.bank.voices({"folk": 1.0}))
    one = sum(w.nbytes for w in sung.mixer.fold(folk).values())
    sung.mixer.folded_bytes = int(2.5 * one)
    for weight in range(1, 6):
        sung.mixer.fold(sung.bank.voices({"folk": float(weight) / 2}))
    assert len(sung.mixer._folds) == 2
    names = ["folk", "rock", "mlp", "lokr"]
    for pair in itertools.combinations(names, 2):
        sung.rows({pair[0]: 1.0}, {pair[1]: 1.0})
    assert len(sung.mixer._stacks) == KEPT_STACKS


def test_what_is_anticipated_is_there_and_a_stack_serves_when_songs_leave(shelf: AdapterStore) -> None:
    sung = Sung(shelf)
    folk, rock, mlp = (sung.bank.voices({name: 1.0}) for name in ("folk", "rock", "mlp"))
    sung.mixer.anticipate([(), ()])
    sung.mixer.anticipate([folk, folk])
    assert list(sung.mixer._folds) == [folk] and not sung.mixer._stacks
    sung.mixer.anticipate([folk, rock, ()])
    [made] = sung.mixer._stacks.values()
    with sung.mixer.applied([folk, ()]), sung.mixer.applied([rock, folk]):
        assert list(sung.mixer._stacks.values()) == [made]
    mixed = sung.rows({"rock": 1.3}, {})
    assert (mixed[0] - peft_velocity({"rock": 1.3})[0]).abs().max() < 1e-5 and len(sung.mixer._stacks) == 1
    with sung.mixer.applied([mlp, ()]):
        assert len(sung.mixer._stacks) == 2


def test_adapters_are_read_once_and_again_when_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = transformer()
    shelf = make_shelf(tmp_path, model)
    bank, loaded = AdapterBank(model, shelf), list[str]()
    load = AdapterStore.load

    def watched(self: AdapterStore, name: str, *args: Any) -> Any:
        loaded.append(name)
        return load(self, name, *args)

    monkeypatch.setattr(AdapterStore, "load", watched)
    for _ in range(3):
        first = bank.voices({"rock": 0.5, "folk": 0.5})
    assert loaded == ["folk", "rock"]
    shelf.remove("folk")
    put(shelf, "folk", planted(model, "folk", seed=77), model)
    again = bank.voices({"folk": 0.5, "rock": 0.5})
    assert loaded == ["folk", "rock", "folk"]
    assert again[1][0] is first[1][0] and again[0][0].fingerprint != first[0][0].fingerprint
    assert bank.prune() == {adapter for adapter, _ in again}
    shelf.remove("rock")
    assert bank.prune() == {again[0][0]}


def test_a_damaged_adapter_and_one_of_another_model_are_refused(tmp_path: Path) -> None:
    model = transformer()
    shelf = make_shelf(tmp_path, model)
    file = tmp_path / "rock" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    for composition in ({"rock": 1.0}, {"folk": 0.5, "rock": 0.5}, {"nobody": 1.0}):
        with pytest.raises(AdapterError):
            AdapterBank(model, shelf).voices(composition)
    with torch.no_grad():
        model.layers[0].self_attn.to_q.weight[0, 0] += 1
    with pytest.raises(AdapterError, match="was made for the song model planted"):
        AdapterBank(model, shelf).voices({"folk": 1.0})


def test_a_fingerprint_is_that_of_the_weights() -> None:
    model = transformer()
    weights = planted(model, "folk")
    assert fingerprint(weights) == fingerprint(dict(reversed(list(weights.items()))))
    name = next(iter(weights))
    other = {**weights, name: LowRank(weights[name].down, weights[name].up, 1.25)}
    assert fingerprint(other) != fingerprint(weights) != fingerprint(planted(model, "rock"))


def test_changes_of_one_layer_add_up_and_others_stay_apart() -> None:
    def ones(rank: int) -> Change:
        return Change(torch.ones(rank, 3), torch.ones(2, rank))

    first = LoadedAdapter("a", "", {"x": ones(2), "y": ones(1)})
    other = LoadedAdapter("b", "", {"x": ones(3), "layers.0.cross_attn.to_k": ones(1), "condition_embedder": ones(1)})
    voices = ((first, 0.5), (other, -2.0))
    found = {name: summed(name, voices) for name in ("x", "y", "z")}
    assert found["z"] is None
    assert {n: set(c.flatten().tolist()) for n, c in found.items() if c is not None} == {
        "x": {0.5 * 2 - 2 * 3},
        "y": {0.5},
    }
    assert touched([first, other]) == ["x", "y"], "what is prepared once per song is left out of the passes"

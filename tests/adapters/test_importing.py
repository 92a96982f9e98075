"""Finding adapters in what tools leave on disk, and refusing what is damaged, unfit or ambiguous."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from adapters.base import Base
from adapters.card import AdapterCard
from adapters.errors import AdapterError
from adapters.importing import find_adapter, import_adapter
from adapters.store import AdapterStore
from tests.adapters.foreign import ATTENTION, base_of, pairs, twins, write_peft


@pytest.fixture
def base() -> Base:
    return base_of(twins()[1])


def run(path: Path, base: Base, name: str = "mine") -> tuple[AdapterCard, list[str]]:
    _, card, notes = import_adapter(path, name, base, "stand-in")
    return card, notes


@pytest.mark.parametrize("place", [".", "final/adapter", "final", "adapter", "checkpoints/epoch_3/adapter", "a/b/c"])
def test_the_only_adapter_of_a_run_is_found(place: str, tmp_path: Path, base: Base) -> None:
    write_peft(tmp_path / place, pairs(ATTENTION))
    (tmp_path / "training_state.pt").write_bytes(b"never read")
    (tmp_path / ".cache").mkdir()
    shutil.copy(tmp_path / place / "adapter_model.safetensors", tmp_path / ".cache" / "x.safetensors")
    card, notes = run(tmp_path, base)
    assert (card.name, card.rank, card.alpha, card.layers, card.variant) == ("mine", 4, 8, 16, None)
    assert card.targets == (
        *(f"cross_attn.{kind}" for kind in ("to_k", "to_out.0", "to_q", "to_v")),
        *(f"self_attn.{kind}" for kind in ("to_k", "to_out.0", "to_q", "to_v")),
    )
    assert card.parameters == sum(layer.down.numel() + layer.up.numel() for layer in pairs(ATTENTION).values())
    assert card.base.fingerprint == base.fingerprint and card.base.name == "stand-in"
    assert card.source.startswith("peft: ") and card.source.endswith("adapter_model.safetensors")
    assert notes == ["no card says for which song model it was made: it fits the layers of stand-in"]


def test_final_goes_before_checkpoints_and_the_choice_is_told(tmp_path: Path, base: Base) -> None:
    write_peft(tmp_path / "checkpoints" / "epoch_10" / "adapter", pairs(ATTENTION, rank=2))
    write_peft(tmp_path / "checkpoints" / "epoch_20" / "adapter", pairs(ATTENTION, rank=2))
    write_peft(tmp_path / "final" / "adapter", pairs(ATTENTION, rank=3))
    card, notes = run(tmp_path, base)
    assert card.rank == 3
    assert f"took final/adapter/adapter_model.safetensors; 2 more in {tmp_path.name} left alone" in notes


def test_the_state_of_our_own_run_is_no_adapter(tmp_path: Path, base: Base) -> None:
    write_peft(tmp_path / "lyrics", pairs(ATTENTION))
    save_file({"adapter.x": torch.ones(1)}, tmp_path / "checkpoint.safetensors")
    assert find_adapter(tmp_path) == (tmp_path / "lyrics" / "adapter_model.safetensors", [])


@pytest.mark.parametrize(("text", "message"), [("a" * 2001, "2001 characters"), ("a\udcff", "not text in UTF-8")])
def test_a_description_no_card_can_hold_is_named(text: str, message: str, tmp_path: Path, base: Base) -> None:
    write_peft(tmp_path, pairs(ATTENTION))
    with pytest.raises(AdapterError, match=message):
        import_adapter(tmp_path, "mine", base, "stand-in", description=text)


def test_a_folder_may_have_a_name_that_is_no_text(tmp_path: Path, base: Base) -> None:
    write_peft(tmp_path / "a\udcff", pairs(ATTENTION))
    assert run(tmp_path / "a\udcff", base)[0].source.endswith("a?/adapter_model.safetensors")


def test_several_checkpoints_without_a_final_state_are_listed(tmp_path: Path, base: Base) -> None:
    for epoch in (10, 20):
        write_peft(tmp_path / "checkpoints" / f"epoch_{epoch}" / "adapter", pairs(ATTENTION))
    with pytest.raises(AdapterError, match=r"holds 2 adapters \(checkpoints/epoch_10/adapter/.*, checkpoints/epoch_20"):
        run(tmp_path, base)
    assert run(tmp_path / "checkpoints" / "epoch_20", base)[0].rank == 4


def test_several_files_in_one_folder_are_listed(tmp_path: Path, base: Base) -> None:
    for i in range(12):
        save_file({"x": torch.ones(1)}, tmp_path / f"{i:02}.safetensors")
    with pytest.raises(AdapterError, match=r"holds 12 adapters \(00.*07\.safetensors and 4 more\): give the path"):
        run(tmp_path, base)


def test_nothing_to_import(tmp_path: Path, base: Base) -> None:
    with pytest.raises(AdapterError, match="does not exist"):
        run(tmp_path / "missing", base)
    with pytest.raises(AdapterError, match=r"holds no \.safetensors file"):
        run(tmp_path, base)
    (tmp_path / "adapter_model.bin").write_bytes(b"\x80\x04never read")
    with pytest.raises(AdapterError, match=r"only pickles \(adapter_model\.bin\)"):
        run(tmp_path, base)
    with pytest.raises(AdapterError, match="can run any code"):
        run(tmp_path / "adapter_model.bin", base)


def test_linked_folders_are_not_entered_and_large_ones_not_searched(tmp_path: Path) -> None:
    write_peft(tmp_path / "elsewhere", pairs(ATTENTION))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "final").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AdapterError, match="holds no"):
        find_adapter(tmp_path / "run")
    many = tmp_path / "many"
    many.mkdir()
    for i in range(5001):
        os.mknod(many / str(i))
    with pytest.raises(AdapterError, match="more than 5000 files"):
        find_adapter(many)


def test_a_config_counts_only_beside_pefts_own_file(tmp_path: Path, base: Base) -> None:
    write_peft(tmp_path, pairs(ATTENTION))
    (tmp_path / "adapter_model.safetensors").rename(tmp_path / "renamed.safetensors")
    with pytest.raises(AdapterError, match="has no alpha, and there is no adapter_config"):
        run(tmp_path, base)


@pytest.mark.parametrize("name", ["", "base", "A", "a/b", "../a", "a.b", "x" * 65, "a\n"])
def test_names_that_can_be_none(name: str, tmp_path: Path, base: Base) -> None:
    with pytest.raises(AdapterError, match=r"adapter name|called base"):
        run(tmp_path, base, name)


def test_our_own_folder_keeps_its_card(tmp_path: Path, base: Base) -> None:
    write_peft(tmp_path / "run", pairs(ATTENTION))
    weights, card, _ = import_adapter(tmp_path / "run", "mine", base, "stand-in")
    told = card.model_copy(update={"variant": "lyrics-asr", "metrics": {"loss": 0.5}, "recipe": {"steps": 9}})
    AdapterStore(tmp_path / "shelf").add("mine", weights, told)
    again, notes = run(tmp_path / "shelf" / "mine", base, "other")
    assert again == told.model_copy(update={"name": "other"})
    assert notes == []
    with pytest.raises(AdapterError, match=r"adapter mine was made for the song model stand-in \([0-9a-f]{16}\)"):
        run(tmp_path / "shelf" / "mine", base_of(twins(seed=1)[1]))


CARD = {
    "name": "mine",
    "created": "2026-01-01T00:00:00Z",
    "base": {"name": "stand-in", "fingerprint": "0" * 16},
    "rank": 4,
    "alpha": 8,
    "layers": 1,
    "parameters": 1,
    "targets": [],
}


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("card.json", "{", "card.json is not JSON"),
        ("card.json", "[]", "holds a JSON list, not an object"),
        ("card.json", "{}", "is no card of an adapter: name is missing"),
        ("card.json", json.dumps(CARD | {"extra": 1}), "extra is not known here"),
        ("card.json", json.dumps(CARD | {"alpha": float("nan")}), "alpha must be a finite number, not nan"),
        ("card.json", json.dumps(CARD | {"name": "../up"}), "name: '../up' is not of the form"),
        ("card.json", b"\xff\xfe\x00", "cannot be read as text"),
        ("card.json", " " * (5 << 20), "holds 5242880 bytes, the limit is 4194304"),
        ("adapter_config.json", "lora", "adapter_config.json is not JSON"),
        ("adapter_config.json", '"lora"', "holds a JSON str, not an object"),
        ("adapter_config.json", '{"r": ' + "9" * 5000 + "}", "is not JSON"),
        ("adapter_config.json", "{}", "r in adapter_config.json is None"),
        ("adapter_config.json", '{"r": 5, "lora_alpha": 1}', "rank 5, but its weights have rank 4"),
        ("adapter_model.safetensors", b"PK\x03\x04", "pickle renamed"),
    ],
)
def test_a_damaged_file_is_named_and_nothing_changes(
    file: str, content: str | bytes, message: str, tmp_path: Path, base: Base
) -> None:
    write_peft(tmp_path, pairs(ATTENTION))
    (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(AdapterError, match=message):
        run(tmp_path, base)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def change(folder: Path, **changes: Any) -> None:
    """Rewrite the weights with some keys changed; None removes a key."""
    tensors = load_file(folder / "adapter_model.safetensors")
    for key, tensor in changes.items():
        tensors[key] = tensor
    kept = {key: tensor for key, tensor in tensors.items() if tensor is not None}
    save_file(kept, folder / "adapter_model.safetensors")


Q = "base_model.model.layers.0.self_attn.q_proj"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({f"{Q}.lora_B.weight": None}, "has no lora_B"),
        ({f"{Q}.lora_A.weight": torch.full((4, 12), torch.nan)}, "values that are no numbers"),
        ({f"{Q}.lora_B.weight": torch.full((12, 4), torch.inf)}, "values that are no numbers"),
        ({f"{Q}.lora_A.weight": torch.ones(4, 16)}, "self_attn.to_q is 12 x 16, the song model's 12 x 12"),
        ({f"{Q}.lora_B.weight": torch.ones(12, 5)}, "rank 4 on one side and 5 on the other"),
        (
            {"base_model.model.layers.9.self_attn.q_proj.lora_A.weight": torch.ones(4, 12),
             "base_model.model.layers.9.self_attn.q_proj.lora_B.weight": torch.ones(12, 4)},
            "layers.9.self_attn.to_q is no linear layer",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(changes: dict[str, Any], message: str, tmp_path: Path, base: Base) -> None:
    write_peft(tmp_path, pairs(ATTENTION))
    change(tmp_path, **changes)
    with pytest.raises(AdapterError, match=message):
        run(tmp_path, base)


def test_an_adapter_that_changes_nothing_is_refused(tmp_path: Path, base: Base) -> None:
    write_peft(tmp_path, pairs(ATTENTION))
    change(
        tmp_path, **{f"base_model.model.{n}.lora_B.weight": torch.zeros_like(p.up) for n, p in pairs(ATTENTION).items()}
    )
    with pytest.raises(AdapterError, match="changes nothing: all its weights are zero"):
        run(tmp_path, base)
    save_file({}, tmp_path / "adapter_model.safetensors")
    with pytest.raises(AdapterError, match="changes no layer at all"):
        run(tmp_path, base)

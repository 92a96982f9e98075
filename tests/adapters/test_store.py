"""The shelf: what is put there comes back bit for bit, and no failure leaves half of anything."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file

from adapters import store as store_module
from adapters.base import Base
from adapters.card import AdapterCard, BaseCard
from adapters.errors import AdapterError
from adapters.naming import diffusers_name
from adapters.store import AdapterStore
from adapters.weights import LowRank, describe_weights
from tests.adapters.foreign import ATTENTION, apply, base_of, deltas, pairs, sing, twins, write_peft

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def base() -> Base:
    return base_of(twins()[1])


@pytest.fixture
def store(tmp_path: Path) -> AdapterStore:
    return AdapterStore(tmp_path / "shelf")


def planted(seed: int = 1, dtype: torch.dtype = torch.float32) -> dict[str, LowRank]:
    """Layers of different ranks and scales."""
    out = {}
    for i, name in enumerate(ATTENTION):
        layer = pairs([name], rank=2 + i % 3, seed=seed + i, dtype=dtype)[name]
        out[diffusers_name(name)] = LowRank(layer.down, layer.up, 0.5 + i % 2)
    return out


def card_for(base: Base, weights: dict[str, LowRank], **fields: Any) -> AdapterCard:
    return AdapterCard(
        **{
            "name": "unnamed",
            "created": datetime(2026, 1, 2, tzinfo=UTC),
            "base": BaseCard(name="stand-in", fingerprint=base.fingerprint),
            **describe_weights(weights),
            **fields,
        }
    )


def put(store: AdapterStore, base: Base, name: str, **fields: Any) -> AdapterCard:
    weights = planted()
    return store.add(name, weights, card_for(base, weights, **fields), base=base)


def everything(folder: Path) -> dict[str, bytes | None]:
    """All there is below a folder, hidden things too."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_what_is_added_comes_back_bit_for_bit(dtype: torch.dtype, store: AdapterStore, base: Base) -> None:
    weights = planted(dtype=dtype)
    card = store.add("mine", weights, card_for(base, weights, rank=99, variant="lyrics"), base=base)
    assert store.names() == ["mine"] and store.cards() == [card] == [store.card("mine")]
    assert (card.name, card.variant, card.rank, card.layers) == ("mine", "lyrics", 2, 16)
    loaded = store.load("mine", base)
    assert loaded.keys() == weights.keys()
    for name, layer in weights.items():
        assert loaded[name].down.dtype == loaded[name].up.dtype == dtype
        assert torch.equal(loaded[name].down, layer.down) and torch.equal(loaded[name].up, layer.up)
        assert loaded[name].scale == layer.scale
    assert sorted(everything(store.folder)) == [
        "mine",
        "mine/adapter_config.json",
        "mine/adapter_model.safetensors",
        "mine/card.json",
    ]
    assert (store.folder / "mine").stat().st_mode & 0o777 == 0o755


def test_peft_itself_loads_the_folder_and_sings_the_same(store: AdapterStore, base: Base) -> None:
    put(store, base, "mine")
    theirs = peft.PeftModel.from_pretrained(twins()[1], str(store.folder / "mine"))
    ours = twins()[1]
    apply(ours, deltas(store.load("mine", base)))
    assert (sing(ours) - sing(theirs.eval())).abs().max() < 1e-5
    assert (sing(ours) - sing(twins()[1])).abs().max() > 1e-2


def test_layers_may_share_memory(store: AdapterStore, base: Base) -> None:
    down, up = torch.ones(4, 24)[::2, ::2], torch.ones(2, 12).T
    weights = {f"layers.{i}.self_attn.to_q": LowRank(down, up) for i in (0, 1)}
    store.add("mine", weights, card_for(base, weights), base=base)
    assert torch.equal(store.load("mine", base)["layers.1.self_attn.to_q"].down, torch.ones(2, 12))


def test_an_empty_shelf_is_no_error_and_reading_makes_none(store: AdapterStore, base: Base) -> None:
    assert store.names() == [] and store.cards() == [] and store.damaged() == {}
    with pytest.raises(AdapterError, match=r"there is no adapter mine in .*: it holds none yet"):
        store.load("mine", base)
    with pytest.raises(AdapterError, match="there is no adapter mine"):
        store.remove("mine")
    assert not store.folder.exists()


def test_an_unknown_name_names_those_there_are(store: AdapterStore, base: Base) -> None:
    put(store, base, "one")
    put(store, base, "two")
    use: Callable[..., Any]
    for use in (store.card, store.remove, lambda name: store.load(name, base), lambda name: store.rename(name, "new")):
        with pytest.raises(AdapterError, match=r"there is no adapter three in .*: choose one of one, two"):
            use("three")


@pytest.mark.parametrize(
    "name", ["", "base", "routed", ".", "..", "../shelf", "a/b", "/etc", "Upper", "x" * 65, "a\n", "ä"]
)
def test_no_name_is_a_path(name: str, store: AdapterStore, base: Base) -> None:
    put(store, base, "mine")
    before = everything(store.folder.parent)
    use: Callable[..., Any]
    for use in (
        store.card,
        store.remove,
        store.check_free,
        lambda name: store.load(name, base),
        lambda name: store.rename(name, "new"),
        lambda name: store.rename("mine", name),
        lambda name: put(store, base, name),
    ):
        with pytest.raises(AdapterError, match=r"is no adapter name|cannot be called (base|routed)"):
            use(name)
    assert everything(store.folder.parent) == before


def test_links_are_not_followed(store: AdapterStore, base: Base, tmp_path: Path) -> None:
    put(store, base, "mine")
    (store.folder / "linked").symlink_to(store.folder / "mine")
    assert store.names() == ["mine"]
    for use in (store.card, store.remove):
        with pytest.raises(AdapterError, match="there is no adapter linked"):
            use("linked")
    with pytest.raises(AdapterError, match="the name linked is taken"):
        put(store, base, "linked")
    secret = tmp_path / "secret.json"
    (store.folder / "mine" / "card.json").rename(secret)
    (store.folder / "mine" / "card.json").symlink_to(secret)
    with pytest.raises(AdapterError, match="is a link"):
        store.card("mine")
    (store.folder / ".adapter-linked").symlink_to(tmp_path)
    os.utime(store.folder / ".adapter-linked", (0, 0), follow_symlinks=False)
    put(store, base, "next")
    assert secret.exists()


def test_remove_and_rename(store: AdapterStore, base: Base) -> None:
    put(store, base, "one")
    put(store, base, "two")
    assert store.rename("one", "three").name == "three"
    assert store.names() == ["three", "two"]
    assert json.loads((store.folder / "three" / "card.json").read_text())["name"] == "three"
    assert store.load("three", base).keys() == planted().keys()
    with pytest.raises(AdapterError, match="the name two is taken"):
        store.rename("three", "two")
    assert store.rename("two", "two").name == "two"
    store.remove("three")
    assert sorted(everything(store.folder))[0] == "two" and store.names() == ["two"]


def test_a_taken_name_stays_as_it_is(store: AdapterStore, base: Base) -> None:
    put(store, base, "mine", description="first")
    before = everything(store.folder)
    with pytest.raises(AdapterError, match="the name mine is taken by another adapter: choose another"):
        put(store, base, "mine", description="second")
    assert everything(store.folder) == before


def test_what_does_not_fit_is_not_stored(store: AdapterStore, base: Base) -> None:
    weights = planted()
    other = base_of(twins(seed=1)[1])
    with pytest.raises(AdapterError, match="was made for the song model stand-in"):
        store.add("mine", weights, card_for(base, weights), base=other)
    weights["layers.0.self_attn.to_q"] = LowRank(torch.full((2, 12), torch.nan), torch.ones(12, 2))
    with pytest.raises(AdapterError, match="values that are no numbers"):
        store.add("mine", weights, card_for(base, weights), base=base)
    with pytest.raises(AdapterError, match="nothing to store"):
        store.add("mine", {}, card_for(base, weights))
    assert not store.folder.exists()


def test_an_adapter_too_large_to_load_is_not_stored(
    store: AdapterStore, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MAX_FILE", 1000)
    with pytest.raises(AdapterError, match=r"takes \d+ bytes, the limit is 1000"):
        put(store, base, "mine")
    assert not store.folder.exists()


def rewrite(store: AdapterStore, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    path = store.folder / "mine" / "adapter_model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


Q = "base_model.model.layers.0.self_attn.to_q.lora_"


def drop(tensors: dict[str, torch.Tensor], *sides: str) -> None:
    for side in sides:
        del tensors[f"{Q}{side}.weight"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: drop(t, "A", "B"), r"adapter mine lacks layers \(layers.0.self_attn.to_q; 1 in all\)"),
        (lambda t: drop(t, "A"), "has no lora_A"),
        (
            lambda t: t.update({f"{Q}{s}.weight".replace("to_q", "to_x"): t[f"{Q}{s}.weight"].clone() for s in "AB"}),
            "has unlisted layers",
        ),
        (lambda t: t[f"{Q}A.weight"].fill_(torch.nan), "values that are no numbers"),
        (lambda t: t.update({f"{Q}A.weight": torch.ones(2, 13)}), "is 12 x 13, the song model's 12 x 12"),
        (lambda t: t.update({"odd": torch.ones(1)}), "odd, which belong to no LoRA"),
    ],
)  # fmt: skip
def test_damage_is_found_on_loading(
    change: Callable[[dict[str, torch.Tensor]], Any], message: str, store: AdapterStore, base: Base
) -> None:
    put(store, base, "mine")
    rewrite(store, change)
    with pytest.raises(AdapterError, match=message):
        store.load("mine", base)


def test_another_base_is_named_on_loading(store: AdapterStore, base: Base) -> None:
    put(store, base, "mine")
    with pytest.raises(
        AdapterError, match=rf"adapter mine was made for the song model stand-in \({base.fingerprint}\)"
    ):
        store.load("mine", base_of(twins(seed=1)[1]))


def test_one_damaged_adapter_hides_no_other(store: AdapterStore, base: Base) -> None:
    for name in ("good", "no-card", "bad-card"):
        put(store, base, name)
    (store.folder / "no-card" / "card.json").unlink()
    (store.folder / "bad-card" / "card.json").write_text("{")
    (store.folder / "notes.txt").write_text("mine")
    (store.folder / "Not A Name").mkdir()
    assert store.names() == ["bad-card", "good", "no-card"]
    assert [card.name for card in store.cards()] == ["good"]
    faults = store.damaged()
    assert list(faults) == ["bad-card", "no-card"]
    assert "is not JSON" in faults["bad-card"] and "is no file" in faults["no-card"]
    store.remove("bad-card")
    assert store.names() == ["good", "no-card"]


def test_a_folder_copied_by_hand_goes_by_its_own_name(store: AdapterStore, base: Base) -> None:
    put(store, base, "mine")
    (store.folder / "mine").rename(store.folder / "yours")
    assert store.card("yours").name == "yours"


def full(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["replace", "fsync", "rename", "mkdir", "chmod"])
@pytest.mark.parametrize("shelf", ["new", "old"])
def test_a_full_disk_leaves_nothing_behind(
    call: str, shelf: str, store: AdapterStore, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shelf == "old":
        put(store, base, "there")
    before = everything(store.folder.parent)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(AdapterError, match=r"adapter mine cannot be stored in .*No space left on device"):
            put(store, base, "mine")
    assert everything(store.folder.parent) == before
    put(store, base, "mine")


def test_a_disk_that_fills_while_renaming_keeps_the_old_name(
    store: AdapterStore, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, base, "mine")
    before = everything(store.folder)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(AdapterError, match=r"adapter mine cannot be renamed \(No space left on device\)"):
            store.rename("mine", "yours")
    assert everything(store.folder) == before


def test_an_interruption_leaves_nothing_behind(
    store: AdapterStore, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        put(store, base, "mine")
    assert not store.folder.exists()


def test_what_a_killed_process_left_is_cleared_away_later(store: AdapterStore, base: Base) -> None:
    put(store, base, "one")
    old, young = store.folder / ".adapter-old", store.folder / ".adapter-young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "adapter_model.safetensors").write_bytes(b"half")
    hours_ago = time.time() - 7200
    os.utime(old, (hours_ago, hours_ago))
    assert store.names() == ["one"]
    put(store, base, "two")
    assert not old.exists() and young.exists(), "a young one may belong to a living process"


IMPORTER = """
import sys, time
from pathlib import Path
from adapters.importing import import_adapter
from adapters.store import AdapterStore
from tests.adapters.foreign import base_of, twins
shelf, source, ready, go = map(Path, sys.argv[1:])
base = base_of(twins()[1])
weights, card, _ = import_adapter(source, "mine", base, "stand-in")
store = AdapterStore(shelf)
settle = store._settle
def wait_and_settle(folder, name):
    ready.touch()
    while not go.exists():
        time.sleep(0.001)
    settle(folder, name)
store._settle = wait_and_settle
store.add("mine", weights, card, base=base)
"""


def test_of_two_processes_importing_one_name_one_wins(store: AdapterStore, base: Base, tmp_path: Path) -> None:
    go = tmp_path / "go"
    running = []
    for i, rank in enumerate((2, 3)):
        source = write_peft(tmp_path / f"source-{i}", pairs(ATTENTION, rank=rank))
        places = (store.folder, source, tmp_path / f"ready-{i}", go)
        running.append(
            subprocess.Popen(
                [sys.executable, "-c", IMPORTER, *map(str, places)], cwd=ROOT, stderr=subprocess.PIPE, text=True
            )
        )
    until = time.monotonic() + 120
    while not all((tmp_path / f"ready-{i}").exists() for i in (0, 1)):
        assert time.monotonic() < until and all(process.poll() is None for process in running)
        time.sleep(0.01)
    go.touch()
    errors = [process.communicate(timeout=120)[1] for process in running]
    assert sorted(process.returncode for process in running) == [0, 1]
    lost = running[0].returncode
    winner = 1 if lost else 0
    assert "the name mine is taken by another adapter" in errors[1 - winner]
    assert {layer.rank for layer in store.load("mine", base).values()} == {2 + winner}
    assert sorted(path.name for path in store.folder.iterdir()) == ["mine"]

"""The engine's benchmarks compare like with like and say what they measured; how fast it is, is no test's matter."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import engine_cli, subjects
from bench.endurance import measure_endurance
from bench.exactness import measure_exactness
from bench.passes import BARE, time_passes
from bench.peers import PeftPeer, add_blends, blend_name
from bench.profile import profile_pass
from bench.subjects import MID_SIZE, MemoryShelf, Subject, mid_size, random_adapter
from bench.switching import time_switches
from bench.taking_turns import ratio, time_in_turns
from bench.throughput import requests_of, time_clients, time_throughput
from choirmaster import main
from engine.singer import Singer
from engine.song_model import SongModel
from tests.engine.test_forward import with_transformer

pytestmark = pytest.mark.filterwarnings("ignore:Already found a `peft_config` attribute")


@pytest.fixture(scope="module")
def subject(random_model: SongModel) -> Subject:
    model = with_transformer(random_model, 1, "cfg")
    model = replace(model, preset=replace(model.preset, steps=2))
    return Subject("small", model, {f"adapter-{n}": random_adapter(model.transformer, n) for n in range(1, 5)})


def test_the_peers_sing_the_same_songs(subject: Subject) -> None:
    """Of one length and as many tokens, so that stock code, which masks nothing, is right about them too."""
    [request] = requests_of(subject, 1, 9)
    requests = [request.model_copy(update={"composition": composition}) for composition in subject.compositions]
    singer = Singer(subject.model, MemoryShelf(subject.adapters))
    ours = [singer.sing(request).audio for request in requests]
    batch, single = PeftPeer(subject), PeftPeer(subject)
    add_blends(batch, subject.compositions)
    together = batch.sing_batch(requests, [blend_name(r.composition) for r in requests])
    base = single.sing(requests[0]).audios
    for number, (request, mine, theirs) in enumerate(zip(requests, ours, together, strict=True)):
        level = theirs[0].numpy() * np.abs(mine).max() / theirs.abs().max().item()
        assert np.abs(mine - level).max() < 1e-2, number
        if request.composition:
            assert np.abs(single.sing(request).audios - base).max() > 1e-3, "set_adapters takes effect"
    assert np.abs(single.sing(requests[0]).audios - base).max() < 1e-5, "and is taken back for the base"


def test_passes_are_timed_beside_the_bare_one(subject: Subject) -> None:
    found = time_passes(subject, songs=2, seconds=7, rounds=1)
    assert (found.rows, found.frames) == (4, 175) and found.bare > 0 and BARE not in found.ratios
    assert {"diffusers", "blends per row", "folded", "8 heads watched", "peft mixed batch"} <= set(found.ratios)


def test_songs_switches_clients_and_memory_are_measured(subject: Subject) -> None:
    speed = time_throughput(subject, songs=2, seconds=7, rounds=1)
    assert set(speed.ratios) | {"engine"} == set(speed.per_minute) and min(speed.per_minute.values()) > 0
    switches = time_switches(subject, songs=2, seconds=7, rounds=2)
    assert switches.set_adapters > 0 < switches.load_lora_weights and switches.step > 0
    [one, three] = time_clients(subject, (1, 3), 3)
    assert (one.clients, one.songs, three.songs) == (1, 3, 6) and 0 < three.p50 <= three.p95
    told: list[int] = []
    endured = measure_endurance(subject, 3, lambda: told.append(1))
    assert len(told) == 3 and list(endured.resident) == [3]


def test_songs_among_others_are_compared_with_alone_and_with_double_precision(subject: Subject) -> None:
    found = measure_exactness(subject, 6)
    assert (found.songs, found.within) == (6, 6) and 0 <= found.median <= found.worst < 1e-4 > found.rounding > 0


def test_the_shares_of_a_pass_add_up(subject: Subject) -> None:
    found = profile_pass(subject, songs=2, seconds=7, passes=1)
    assert found.rows == 4 and sum(found.shares.values()) == pytest.approx(1)
    assert found.shares["matrix products of the model"] > 0.05 < found.shares["attention"] + found.shares["other"]


def test_ways_take_turns_after_a_warm_up() -> None:
    order: list[str] = []
    spent = time_in_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 2)
    assert [sorted(order[at : at + 2]) for at in (0, 2, 4)] == [["a", "b"]] * 3
    assert [len(times) for times in spent.values()] == [2, 2]
    assert ratio({"a": [1.0, 6.0, 3.0], "b": [2.0, 2.0, 2.0]}, "a", "b") == 1.5


def test_the_mid_size_transformer_has_the_shape_of_the_released_one() -> None:
    found = mid_size()
    config = found.model.transformer.config
    assert {name: config[name] for name in MID_SIZE if MID_SIZE[name] is not None} == {
        name: value for name, value in MID_SIZE.items() if value is not None
    }
    assert config.num_attention_heads * config.head_dim == config.hidden_size
    kinds = found.model.transformer.layer_types
    assert kinds == ["sliding_attention", "full_attention"] * 4
    ranks = {layer.rank for weights in found.adapters.values() for layer in weights.values()}
    assert ranks == {8} and len(found.adapters) == 4 and all(len(w) == 8 * 8 for w in found.adapters.values())
    assert sum(p.numel() for p in found.model.transformer.parameters()) > 1e8
    assert not torch.equal(*(found.adapters[f"adapter-{n}"]["layers.0.self_attn.to_q"].up for n in (1, 2)))


@pytest.mark.slow
def test_the_verb_shows_figures_beside_targets(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(subjects, "embedded", lambda: subject)
    out = tmp_path / "figures.json"
    options = ("--subject", "tiny", "--seconds", "7", "--rounds", "1", "--clients", "1", "--songs", "1")
    with pytest.raises(SystemExit) as stop:
        main(["bench", "engine", *options, "--out", str(out)])
    assert not stop.value.code
    shown, figures = capsys.readouterr().out, json.loads(out.read_text(encoding="utf-8"))["small"]
    for name, limit in engine_cli.TARGETS.items():
        row = next(line for line in shown.splitlines() if line.startswith(f"| {name} "))
        measured = figures["passes"]["ratios"][name]
        assert f"{measured:.3f}" in row and f"≤ {limit:g}: {'met' if measured <= limit else 'missed'}" in row
    with pytest.raises(SystemExit) as stop:
        main(["bench", "engine", "--subject", "huge"])
    assert stop.value.code == 2 and "choose one of tiny, mid, both" in capsys.readouterr().err

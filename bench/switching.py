"""What it costs to sing the next song with other adapters, beside ``set_adapters`` and ``load_lora_weights``.

Of ours it is the pass with a composition never sung before, less the next one; both ways, stacked for rows of different
compositions, and folded for a batch that agrees. Stacks and folds are made beside the loop, while a song is prepared.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save_file

from adapters.weights import peft_tensors
from bench.peers import PeftPeer
from bench.singing import LYRICS
from bench.subjects import MemoryShelf, Subject
from engine.forward import Row
from engine.request import SongRequest
from engine.singer import Singer


@dataclass(frozen=True)
class SwitchCosts:
    """Median milliseconds of a switch; ``step`` is what one step of the batch takes."""

    songs: int
    step: float
    rows: float
    stacking: float
    folded: float
    folding: float
    set_adapters: float
    load_lora_weights: float


def time_switches(
    subject: Subject, songs: int = 4, seconds: float = 9.0, rounds: int = 9, told: Callable[[], None] = lambda: None
) -> SwitchCosts:
    """Switch ``rounds`` times each way; ``told`` is called after each."""
    singer = Singer(subject.model, MemoryShelf(subject.adapters))
    requests = [SongRequest(caption="folk", lyrics=LYRICS, seed=n, duration=seconds) for n in range(songs)]
    with torch.inference_mode():
        rows = [singer.prepare(request).row() for request in requests]
    names = sorted(subject.adapters)[:4]
    peer = PeftPeer(subject)
    kinds = ("step", "rows", "stacking", "folded", "folding", "set_adapters", "load")
    spent: dict[str, list[float]] = {name: [] for name in kinds}
    mixer = singer.transformer.mixer

    @torch.inference_mode()
    def passing(given: list[Row]) -> float:
        start = time.perf_counter()
        singer.transformer(given)
        return time.perf_counter() - start

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pytorch_lora_weights.safetensors"
        weights = peft_tensors(subject.adapters[names[0]])
        save_file({key.replace("base_model.model.", "transformer."): tensor for key, tensor in weights.items()}, file)
        stock = PeftPeer(replace(subject, adapters={}))
        for number in range(rounds + 1):
            fresh = {names[number % 4]: 1 + number / 100, names[(number + 1) % 4]: 0.5}
            voices = singer.bank.voices(fresh)
            mixed = [replace(row, voices=voices if place % 2 else ()) for place, row in enumerate(rows)]
            alike = [replace(row, voices=voices) for row in rows]
            mixer.prune(set())
            found = {
                "stacking": _took(partial(mixer.anticipate, [row.voices for row in mixed])),
                "rows": passing(mixed) - passing(mixed),
                "folding": _took(partial(mixer.anticipate, [voices])),
                "folded": passing(alike) - passing(alike),
                "step": passing(alike),
                "set_adapters": _took(partial(peer.switch, fresh)),
                "load": _took(lambda: stock.pipeline.load_lora_weights(file, adapter_name="one")),
            }
            stock.pipeline.unload_lora_weights()
            for name, value in found.items():
                if number:
                    spent[name].append(1000 * value)
            told()
    median = {name: statistics.median(values) for name, values in spent.items()}
    return SwitchCosts(
        songs,
        median["step"],
        median["rows"],
        median["stacking"],
        median["folded"],
        median["folding"],
        median["set_adapters"],
        median["load"],
    )


def _took(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start

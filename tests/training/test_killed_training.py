"""A training killed without warning, again and again."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engine.song_model import load_song_model
from tests.training.planted_corpus import write_planted
from tests.training.training_process import start_training
from training.adapter_checkpoint import CHECKPOINT
from training.adapter_log import BOARD, LOG
from training.encoding import encode_corpus

RECIPE: dict[str, Any] = {
    "variant": "lyrics-asr",
    "steps": 6,
    "accumulation": 2,
    "learning_rate": 1e-3,
    "warmup": 2,
    "measure_every": 3,
    "save_every": 2,
}


def wait_for(process: Any) -> int | None:
    process.join(120)
    code: int | None = process.exitcode
    return code


def killed_after(process: Any, out: Path, count: int, pause: float) -> bool:
    """Kill a process some time after it has logged so many steps; False where it was done before."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.is_alive():
        log = out / LOG
        if log.exists() and len(log.read_bytes().splitlines()) >= count:
            time.sleep(pause)
            break
        time.sleep(0.002)
    process.kill()
    return wait_for(process) == -9


@pytest.mark.slow
def test_a_run_killed_at_any_moment_comes_out_bit_for_bit_the_same(tmp_path: Path) -> None:
    corpus = write_planted(tmp_path / "corpus", 4)
    list(encode_corpus(corpus, load_song_model(), with_words=True))
    straight, broken, rng = tmp_path / "straight", tmp_path / "broken", random.Random(time.time_ns())
    assert wait_for(start_training(corpus.folder, straight, RECIPE)) == 0
    for replace in (1, 2):  # while the first and, going on from it, the third checkpoint is put in place
        assert wait_for(start_training(corpus.folder, broken, RECIPE, replace=replace)) == -9
    assert len(list(broken.glob(f".{CHECKPOINT}.*"))) == 1
    for count in (1, 3, 5):
        killed_after(start_training(corpus.folder, broken, RECIPE), broken, count, rng.uniform(0, 0.2))
    assert wait_for(start_training(corpus.folder, broken, RECIPE)) == 0
    assert {path.name for path in broken.iterdir()} == {CHECKPOINT, LOG, BOARD, "mine"}, "nothing is left half written"
    assert (straight / LOG).read_bytes() == (broken / LOG).read_bytes()
    for file in ("mine/adapter_model.safetensors", CHECKPOINT):
        one, other = load_file(straight / file), load_file(broken / file)
        assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    cards = [json.loads((out / "mine" / "card.json").read_text()) for out in (straight, broken)]
    assert cards[0]["metrics"] == cards[1]["metrics"] and cards[0]["metrics"]["loss"] > 0

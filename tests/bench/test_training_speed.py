"""Every strategy takes its turns beside the step without; how fast they are, is no test's matter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from bench.training import time_training
from choirmaster import main
from engine.song_model import SongModel
from training.sharpness import STRATEGIES


def test_all_take_turns_and_the_ratios_are_of_the_medians(random_model: SongModel) -> None:
    before = {name: value.clone() for name, value in random_model.transformer.state_dict().items()}
    turns: list[int] = []
    found = time_training(random_model, 4, 2, lambda: turns.append(1))
    assert turns == [1, 1] and found.audio_seconds == 4 and found.rounds == 2 and found.tokens > 50
    assert list(found.seconds) == ["none", *STRATEGIES] and list(found.ratios) == list(STRATEGIES)
    for name, ratio in found.ratios.items():
        assert ratio == pytest.approx(found.seconds[name] / found.seconds["none"])
    after = random_model.transformer.state_dict()
    assert after.keys() == before.keys() and all(torch.equal(after[name], before[name]) for name in before)


def test_the_verb_shows_each_ratio_beside_its_target(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figures.json"
    with pytest.raises(SystemExit) as stop:
        main(["bench", "training", "--seconds", "4", "--rounds", "1", "--out", str(out)])
    assert not stop.value.code
    shown, ratios = capsys.readouterr().out, json.loads(out.read_text(encoding="utf-8"))["ratios"]
    for name in STRATEGIES:
        row = next(line for line in shown.splitlines() if line.startswith(f"| {name} "))
        assert f" {ratios[name]:.2f} " in row and "≤ 1.5: " in row

"""Lines of the grid's journals come back, numbers that are none included."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from eval.grid_log import HeardCell, SungCell, name_sound, open_heard, open_sung
from eval.heads import HeadMeasures
from eval.heard import Segment

CELL: dict[str, Any] = {"run": "r", "prompt": "p", "seed": 3, "composition": "base", "sound": name_sound(b"sound")}


def test_a_judge_that_does_not_know_how_sure_it_was(tmp_path: Path) -> None:
    segment = Segment("♪ words ♪", math.nan, math.inf, 0.5, 0.0)
    heard = HeardCell(**CELL, judge="j", judging="s", transcript="words", judge_seconds=1.0, segments=(segment,))
    open_heard(tmp_path).append(heard)
    [found] = open_heard(tmp_path).read()
    assert found.key == ("p", 3, "base") and found.segments[0].text == "♪ words ♪"
    assert math.isnan(found.segments[0].avg_logprob) and found.segments[0].compression_ratio == math.inf


def test_measures_of_heads_come_back(tmp_path: Path) -> None:
    heads = HeadMeasures(1, 2, 0.9, 0.8, 1.5, 4.75, 0.3, 0.1, "AY in My", "word", None, None, 0.5, 0.25, -1.0, None)
    sung = SungCell(**CELL, audio_seconds=9.5, lyric_mass=0.9, alignment_score=0.7, alignment_null=0.1, heads=(heads,))
    open_sung(tmp_path).append(sung)
    assert open_sung(tmp_path).read() == [sung]

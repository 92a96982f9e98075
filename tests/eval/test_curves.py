"""Training curves: what a log says is what is drawn, and broken logs are named."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eval.curves import Curve, CurveError, draw_curves, read_curves, smooth
from eval.curves_cli import curves


def planted_run(folder: Path, steps: int = 60) -> Path:
    folder.mkdir(parents=True)
    rows = []
    for step in range(1, steps + 1):
        row: dict[str, object] = {"step": step, "loss": 1 / step, "sharpness": 0.0, "learning_rate": 1e-4}
        if step % 20 == 0:
            row["validation"] = {"loss@0.95": 0.5, "loss@0.25": step / 100}
            row["attention"] = {"entropy": 2.0, "lyric_mass": 0.3, "dominant": 0.2, "collapsed": 0.0}
        rows.append(json.dumps(row))
    (folder / "log.jsonl").write_text("\n".join(rows) + "\n")
    return folder


def test_every_quantity_of_a_log_is_found_at_its_steps(tmp_path: Path) -> None:
    run = read_curves(planted_run(tmp_path / "lyrics"))
    assert run["loss"].steps.tolist() == list(range(1, 61))
    assert run["loss@0.25"].steps.tolist() == [20, 40, 60]
    assert run["loss@0.25"].values == pytest.approx([0.2, 0.4, 0.6])
    assert run["lyric_mass"].values == pytest.approx([0.3] * 3)


def test_smoothing_is_the_mean_of_the_steps_before() -> None:
    curve = Curve(np.arange(1, 6), np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    smoothed = smooth(curve, 3)
    assert smoothed.steps.tolist() == [3, 4, 5]
    assert smoothed.values == pytest.approx([2, 3, 4])
    assert smooth(curve, 100).values == pytest.approx([3])


def test_two_runs_make_one_picture_with_a_colour_each(tmp_path: Path) -> None:
    runs = {name: read_curves(planted_run(tmp_path / name)) for name in ("lyrics", "nolyrics")}
    picture = Image.open(io.BytesIO(draw_curves(runs))).convert("RGB")
    assert picture.width > 900 and picture.height > 400
    colours = {colour for _, colour in picture.getcolors(1 << 20) or []}
    assert {(31, 119, 180), (255, 127, 14)} <= colours
    alone = Image.open(io.BytesIO(draw_curves({"lyrics": runs["lyrics"]}))).convert("RGB")
    assert (255, 127, 14) not in {colour for _, colour in alone.getcolors(1 << 20) or []}


def test_the_verb_writes_the_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "curves.png"
    curves([planted_run(tmp_path / "a")], out)
    assert out.read_bytes().startswith(b"\x89PNG") and str(out) in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, "", "{", "\xff", "[]", "{}", '{"step": 1, "loss": null}'])
def test_a_log_that_cannot_be_drawn_is_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "log.jsonl").write_bytes(content.encode("latin-1"))
    with pytest.raises(CurveError, match=r"log\.jsonl"):
        curves([tmp_path], tmp_path / "x.png")


def test_another_kind_of_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CurveError, match=r"\.png"):
        curves([tmp_path], tmp_path / "x.svg")

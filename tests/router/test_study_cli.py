"""``choirmaster route study`` prints the study's figures and the router's, and writes a page when asked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import router.sentences
import router.study
from adapters.errors import ChoirmasterError
from eval.resampling import Estimate
from router.choosing import CONFIDENCE
from router.findings import Findings, Judged, Score
from router.study_cli import study

app = typer.Typer()
app.command()(study)


def planted() -> Findings:
    wer, gain = Estimate(0.4719, 0.3, 0.6), Estimate(-0.007, -0.02, 0.0)
    score = Score("router", "router", wer, gain, None, None, 0, 29, 1, 1 / 30)
    judged = Judged("Whisper large-v3", True, (score,), None, None)
    names = ("base", "lora=1")
    return Findings(
        kind="fit", policy="ridge", default="lora=1", compositions=names, controls=(), prompts=30, genres=30, seeds=1,
        judges=(judged,), genre_rows=(), risk=(), calibration=None, map=(), permuted=(), curves=(),
        signal="No routable signal: planted.", blending="",
    )  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What fitting was asked for; it takes half a minute, and has tests of its own."""
    given: dict[str, Any] = {}

    def fit(featuriser: Any, lattice: Any, **options: Any) -> Findings:
        options.pop("progress")(30, 30)
        given.update(options, prompts=len(lattice.prompts))
        return planted()

    def load(*names: str) -> str:
        given["sentences"] = names
        return "a model"

    monkeypatch.setattr(router.study, "fit_study", fit)
    monkeypatch.setattr(router.sentences, "load_sentence_model", load)
    return given


def test_it_prints(asked: dict[str, Any]) -> None:
    result = CliRunner().invoke(app, ["--confidence", "0.9", "--seed", "3"], catch_exceptions=False)
    assert result.exit_code == 0
    for figure in ("0.4651", "0.2217", "2.23 songs", "0.472", "No routable signal: planted."):
        assert figure in result.output
    assert asked == {"confidence": 0.9, "seed": 3, "prompts": 30, "sentences": ()}
    CliRunner().invoke(app, [], catch_exceptions=False)
    assert asked["confidence"] == CONFIDENCE


def test_it_writes_a_page(asked: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "study.html"
    result = CliRunner().invoke(app, ["--out", str(out), "--sentences", "mine"], catch_exceptions=False)
    assert "the page is in" in result.output and asked["sentences"] == ("mine",)
    assert "No routable signal: planted." in out.read_text()


def test_a_page_that_cannot_be_written(asked: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ChoirmasterError, match=r"end it in \.html"):
        CliRunner().invoke(app, ["--out", str(tmp_path / "study.txt")], catch_exceptions=False)
    assert not asked  # told before anything is done
    (tmp_path / "file").touch()
    with pytest.raises(ChoirmasterError, match="choose another --out"):
        CliRunner().invoke(app, ["--out", str(tmp_path / "file" / "study.html")], catch_exceptions=False)


def test_help_waits_for_no_library_that_computes() -> None:
    code = (
        "import sys, router.route_cli, router.fit_cli, router.study_cli; "
        "print(*{'numpy', 'scipy', 'sklearn', 'pandas', 'torch', 'matplotlib', 'rich.table'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


@pytest.mark.parametrize("given", [["--confidence", "0.4"], ["--confidence", "1"], ["--seed", "-1"]])
def test_bad_options(given: list[str], asked: dict[str, Any]) -> None:
    assert CliRunner().invoke(app, given).exit_code == 2 and not asked

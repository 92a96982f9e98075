"""The verb writes one page, all of it or nothing, and says in one line what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from engine.errors import ChoirmasterError
from eval.report_cli import report
from tests.eval.report.planted import SECOND, plant

APP = typer.Typer(pretty_exceptions_enable=False)
APP.command("report")(report)


def call(*arguments: str) -> str:
    return CliRunner().invoke(APP, arguments, catch_exceptions=False).output


def test_the_page_lies_beside_the_table_or_where_it_was_asked_for(tmp_path: Path) -> None:
    plant(tmp_path / "run", genres=("folk",), compositions=("base", "lyrics"), judges=("one", SECOND))
    assert "report.html" in call(str(tmp_path / "run"), "--songs", "2", "--prompts", "0")
    first = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert first.startswith("<!doctype html>") and first.count("<audio") == 2 and "<img" not in first
    call(str(tmp_path / "run"), "--out", str(tmp_path / "elsewhere" / "page.html"), "--judge", SECOND, "--songs", "0")
    other = (tmp_path / "elsewhere" / "page.html").read_text(encoding="utf-8")
    assert f"heard by <b>{SECOND}</b>" in other and "<img" in other


def test_the_page_is_opened_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    plant(tmp_path, genres=("folk",), compositions=("base",), sounds=False, attention=False)
    call(str(tmp_path))
    assert not opened
    call(str(tmp_path), "--open")
    assert opened == [(tmp_path / "report.html").as_uri()]


def test_what_cannot_be_done_is_told_and_an_old_page_stays(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("old")
    with pytest.raises(ChoirmasterError, match="there is none"):
        call(str(tmp_path))
    plant(tmp_path, genres=("folk",), compositions=("base",), sounds=False, attention=False)
    with pytest.raises(ChoirmasterError, match="no page name"):
        call(str(tmp_path), "--out", str(tmp_path / "page.pdf"))
    with pytest.raises(ChoirmasterError, match="'x' is not in the table"):
        call(str(tmp_path), "--judge", "x")
    with pytest.raises(ChoirmasterError, match="cannot be written"):
        call(str(tmp_path), "--out", str(tmp_path / "table.parquet" / "page.html"))
    assert (tmp_path / "report.html").read_text() == "old"

"""The command line lists its verbs without importing them, and says what went wrong in one line."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

from choirmaster import VERBS, Verb, load, main
from engine.errors import ChoirmasterError


def run(*arguments: str) -> int:
    """The exit code of the command line, run in this process."""
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert isinstance(stop.value.code, int)
    return stop.value.code


def plant(monkeypatch: pytest.MonkeyPatch, outcome: BaseException | None = None) -> list[int]:
    """Put a verb of our own in the place of ``sing``; it notes its option ``--steps``, then raises ``outcome``."""
    calls: list[int] = []

    def planted(steps: int = 8) -> None:
        """The whole story of the planted verb."""
        calls.append(steps)
        if outcome is not None:
            raise outcome

    room = ModuleType("planted_room")
    room.planted = planted  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "planted_room", room)
    monkeypatch.setitem(VERBS, "sing", Verb("planted_room:planted", ""))
    return calls


def test_help_lists_every_verb_without_importing_a_room() -> None:
    code = """
import sys
from choirmaster import main
try:
    main(["--help"])
finally:
    print("imported:", *sorted(sys.modules))
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    page, _, imported = shown.stdout.partition("imported:")
    for name in VERBS:
        assert f" {name} " in page
    heavy = {"torch", "numpy", "diffusers", "transformers", "gradio", "server", "engine.cli", "training.cli"}
    assert not heavy & set(imported.split())


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_is_found_in_its_room(name: str) -> None:
    assert load(name).name == name


def test_a_verb_gets_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = plant(monkeypatch)
    assert run("sing", "--steps", "3") == 0
    assert calls == [3]


def test_help_of_a_verb_comes_from_its_room(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(monkeypatch)
    assert run("sing", "--help") == 0
    page = capsys.readouterr().out
    assert "The whole story of the planted verb." in page
    assert "--steps" in page


def test_our_errors_are_one_line_on_stderr_and_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(monkeypatch, ChoirmasterError("steps is 0,\nthe limit is 1: ask for more"))
    assert run("sing") == 2
    shown = capsys.readouterr()
    assert shown.err == "choirmaster: steps is 0, the limit is 1: ask for more\n"
    assert shown.out == ""


def test_an_interrupt_exits_130(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, KeyboardInterrupt())
    assert run("sing") == 130


def test_other_errors_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main(["sing"])


def test_an_unknown_verb_exits_2_and_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sign") == 2
    assert "sing" in capsys.readouterr().err

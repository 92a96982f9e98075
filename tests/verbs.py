"""Calling a verb of the command line in a test: its exit status and what it wrote to both streams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from choirmaster import main

Run = Callable[..., tuple[int, str, str]]


def verb_runner(verb: str) -> Any:
    """A fixture that calls ``choirmaster <verb>`` with arguments and gives (exit status, output, errors)."""

    @pytest.fixture
    def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
        monkeypatch.setenv("COLUMNS", "200")

        def call(*arguments: object) -> tuple[int, str, str]:
            with pytest.raises(SystemExit) as stop:
                main([verb, *map(str, arguments)])
            shown = capsys.readouterr()
            code = stop.value.code
            return code if isinstance(code, int) else 0, shown.out, shown.err

        return call

    return run

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.places import cache_folder


def test_the_cache_is_where_it_was_asked_for_else_the_user_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHOIRMASTER_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path.home() / ".cache" / "choirmaster"
    monkeypatch.setenv("XDG_CACHE_HOME", "/tmp/xdg")
    assert cache_folder() == Path("/tmp/xdg/choirmaster")
    monkeypatch.setenv("CHOIRMASTER_CACHE", "~/elsewhere")
    assert cache_folder() == Path.home() / "elsewhere"

"""The API over a tiny random model and a planted judge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from api.app import build_app
from engine.song_model import SongModel
from tests.ui.planted import FakeJudge, make_songs
from ui.songs import Songs


@pytest.fixture
def judge() -> FakeJudge:
    return FakeJudge("hello cold friend again")


@pytest.fixture
def songs(random_model: SongModel, tmp_path: Path, judge: FakeJudge) -> Songs:
    return make_songs(random_model, tmp_path / "songs", judge)


@pytest.fixture
def client(songs: Songs) -> Iterator[TestClient]:
    with TestClient(build_app(songs, pages=False), "http://localhost", raise_server_exceptions=False) as client:
        yield client

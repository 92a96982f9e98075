"""One site for every module of this folder; nothing may go wrong in its browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.song_model import SongModel
from tests.ui.browser.site import Site, open_site


@pytest.fixture(scope="module")
def site(random_model: SongModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(random_model, tmp_path_factory.mktemp("site")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def nothing_goes_wrong(site: Site) -> Iterator[None]:
    site.troubles.clear()
    yield
    site.close_pages()
    assert not site.troubles

"""One planted evaluation for all tests that only read it, and its page."""

from __future__ import annotations

import pytest

from eval.report.page import render_report
from eval.report.sections import Options
from eval.results import Results
from tests.eval.report.planted import GENRES, JUDGE, LOSSES, SECOND, plant
from tests.eval.report.reading import Element, read_page


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Five compositions, three genres, two seeds, two judges; sounds and attention kept."""
    return plant(tmp_path_factory.mktemp("evaluation"), compositions=tuple(LOSSES), judges=(JUDGE, SECOND))


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Prompts and seeds enough for intervals; nothing to hear or to see."""
    folder = tmp_path_factory.mktemp("wide")
    return plant(folder, genres=GENRES[:12], seeds=(42, 43, 44), judges=(JUDGE, SECOND), sounds=False, attention=False)


@pytest.fixture(scope="session")
def wide_text(wide: Results) -> str:
    return render_report(wide)


@pytest.fixture(scope="session")
def wide_page(wide_text: str) -> Element:
    return read_page(wide_text)


@pytest.fixture(scope="session")
def text(results: Results) -> str:
    return render_report(results, Options(songs=6, prompts=1))


@pytest.fixture(scope="session")
def page(text: str) -> Element:
    return read_page(text)

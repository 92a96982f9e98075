"""Pages of planted findings for all tests that only read them."""

from __future__ import annotations

import pytest

from router.findings import Findings
from router.report.page import render_report
from tests.eval.report.reading import Element, read_page
from tests.router.report.planted import make_findings


@pytest.fixture(scope="session")
def both() -> tuple[Findings, Findings]:
    """A fit, and its test, of a world in which routing pays."""
    return make_findings(kind="fit"), make_findings(prompts=1)


@pytest.fixture(scope="session")
def text(both: tuple[Findings, Findings]) -> str:
    return render_report(both)


@pytest.fixture(scope="session")
def page(text: str) -> Element:
    return read_page(text)

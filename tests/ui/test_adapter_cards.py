"""Cards tell what is known, plainly where nothing is, and turn nobody's text into markup."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from adapters.card import AdapterCard, BaseCard, CorpusCard
from eval.resampling import Estimate
from eval.statistics import Comparison
from ui.adapter_cards import Standing, show_card, show_damaged, show_shelf, show_size
from ui.measured import GenreRate, Measured

EVIL = '<img src=x onerror="alert(1)">'


def standing(fits: bool = True, **fields: Any) -> Standing:
    corpus = CorpusCard(name="studio", fingerprint="1" * 16, clips=1600, hours=2.16)
    given: dict[str, Any] = {
        "name": "mine", "variant": "lyrics", "description": "a voice", "rank": 8, "alpha": 16.0, "layers": 48,
        "parameters": 172_032, "targets": ("cross_attn.to_q",), "corpus": corpus,
        "created": datetime(2026, 1, 2, tzinfo=UTC), "base": BaseCard(name="tiny", fingerprint="0" * 16),
    }  # fmt: skip
    return Standing(AdapterCard(**(given | fields)), fits, 359_000)


def measured(genres: int = 30) -> Measured:
    rows = tuple(
        GenreRate(f"genre {g:02}", 4, "seeds", Estimate(g / 40, g / 50, g / 30), 0.5 if g else g / 40)
        for g in range(genres)
    )
    change = Estimate(0.02, -0.01, 0.05)
    compared = Comparison("mine=1", "base", change, 0.2, 0.4, True, wins=3, ties=1, losses=26)
    return Measured("planted judge", 120, Estimate(0.21, 0.17, 0.26), Estimate(0.19, 0.15, 0.24), compared, rows)


class Reader(HTMLParser):
    """Keeps what stands between the tags."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def text(html: str) -> str:
    reader = Reader()
    reader.feed(html)
    return " ".join(" ".join(reader.found).replace("\u00a0", " ").split())


def test_a_card_tells_what_the_card_says() -> None:
    told = text(show_card(standing(), None))
    for part in (
        "mine", "Trained with the lyrics", "a voice", "172,032 in 48 layers", "359 KB", "studio 1,600 clips, 2.2 hours",
        "2026-01-02 00:00 UTC", "tiny", "0000000000000000", "fits the loaded model",
        "Nothing was measured of this adapter yet.",
    ):  # fmt: skip
        assert part in told


def test_what_was_measured_is_told_with_its_ends_and_in_full() -> None:
    html = show_card(standing(), measured())
    told = text(html)
    assert "21.0 % of all words wrong" in told and "17.0–26.0 %, the song model alone 19.0 %" in told
    assert "+2.0 percentage points" in told and "−1.0 to +5.0" in told and "cannot be told from chance" in told
    assert "Better in 3 genres, worse in 26." in told and "heard by planted judge" in told
    best, worst = re.findall(r'<ul class="genre-bars">(.*?)</ul>', html)
    assert re.findall(r"genre \d\d", best) == ["genre 00", "genre 01", "genre 02"]
    assert re.findall(r"genre \d\d", worst) == ["genre 29", "genre 28", "genre 27"]
    rows = re.findall(r"<tr><th scope=\"row\">(genre \d\d)", html)
    assert rows == [f"genre {g:02}" for g in range(30)]
    first = text(re.findall(r"<tr>.*?</tr>", html)[1])
    assert first == "genre 00 0.0 % 0.0–0.0 % 0.0 % 0.0"
    assert float(re.findall(r"--share:([\d.]+)", worst)[0]) == pytest.approx(29 / 40)


def test_few_genres_are_shown_at_once() -> None:
    html = show_card(standing(), measured(4))
    assert "genre-bars" not in html and "<details open><summary>All 4 genres" in html


def test_measurements_of_other_files_are_not_shown() -> None:
    assert "Nothing is known: its files have changed." in text(show_card(standing(), "its files have changed"))


def test_one_of_another_model_cannot_be_blended() -> None:
    html = show_card(standing(fits=False), None)
    assert "made for another model, tiny: cannot be used here" in text(html)
    assert "data-blend" not in html and "data-remove" in html
    assert "data-blend" in show_card(standing(), None)


def test_nothing_becomes_markup() -> None:
    corpus = CorpusCard(name=EVIL, fingerprint="1" * 16, clips=1, hours=0)
    base = BaseCard(name=EVIL, fingerprint="0" * 16)
    evil = standing(description=EVIL, licence=EVIL, corpus=corpus, base=base, targets=(EVIL,), recipe={EVIL: EVIL})
    genre = GenreRate(EVIL, 1, "seeds", Estimate(0.1, None, None), None)
    heard = Measured(EVIL, 1, Estimate(0.1, None, None), None, None, (genre,))
    for html in (show_card(evil, heard), show_card(evil, EVIL), show_damaged("old", EVIL)):
        assert "<img" not in html and "&lt;img" in html


def test_a_shelf_lists_all_the_damaged_ones_last() -> None:
    html = show_shelf([standing(), standing(name="other")], {"broken": "card.json is not JSON"}, {})
    assert re.findall(r'data-name="(\w+)"', html) == ["mine", "other", "broken"]
    assert "3 adapters" in html and "card.json is not JSON" in html
    assert "The shelf is empty." in show_shelf([], {}, {})


@pytest.mark.parametrize(
    ("size", "said"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 KB"), (999_600, "1.0 MB"), (4.8e9, "4.8 GB")]
)
def test_sizes_are_read_by_people(size: float, said: str) -> None:
    assert show_size(int(size)) == said

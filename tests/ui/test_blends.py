"""The adapters that are offered for a blend: those that fit, and why the others cannot sing."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.base import Base
from engine.song_model import SongModel
from tests.shelf import make_shelf
from ui.blends import Blends, Shelved, show_sliders, singable
from ui.modes import show_shelf

EVIL = "<img src=x onerror=alert(1)>"


def test_the_shelf_is_listed_with_what_does_not_fit(random_model: SongModel, tmp_path: Path) -> None:
    base, shelf = Base.of(random_model.transformer), make_shelf(tmp_path / "shelf", random_model.transformer)
    assert Blends(shelf, base).listed() == (Shelved("folk"), Shelved("rock"))
    (tmp_path / "shelf" / "folk" / "adapter_card.json").touch()
    [card] = [path for path in (tmp_path / "shelf" / "folk").iterdir() if "card" in path.name and path.stat().st_size]
    card.write_text("{")
    folk, rock = Blends(shelf, replace(base, fingerprint="f" * 16)).listed()
    assert folk.reason is not None and str(tmp_path) not in folk.reason and "folk" in folk.reason
    assert rock.reason is not None and "was made for the song model planted" in rock.reason
    assert singable((folk, rock, Shelved("pop"))) == ["pop"]
    assert Blends(None, base).listed() == ()


def test_each_has_a_slider_and_a_number_and_what_cannot_sing_says_why() -> None:
    shown = show_sliders([Shelved("folk"), Shelved("rock", f"made of {EVIL}")])
    assert (
        re.findall(r'type="(\w+)" min="([-\d.]+)" max="([\d.]+)"', shown)
        == [
            ("range", "-1.5", "1.5"),
            ("number", "-4", "4"),
        ]
        * 2
    )
    assert shown.count(' disabled aria-describedby="blend-reason-1"') == 2 and 'id="blend-reason-1"' in shown
    assert "<img" not in shown and shown.count('step="0.05"') == 4
    assert 'data-go="adapters"' in show_sliders(())


def test_the_list_goes_with_what_is_chosen() -> None:
    shelved = [Shelved("folk"), Shelved("rock", "damaged")]

    def dropdown(single: Any) -> Any:
        return show_shelf(shelved, single)[0]

    assert dropdown("ghost").choices == [("folk", "folk")] and dropdown("ghost").value == "ghost"
    assert dropdown(None).value is None

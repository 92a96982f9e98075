"""Sentences in which no reader finds out where files lie."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from api import places
from api.places import hide_places, with_clean_sentences, without_paths


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("planted in /home/me/secret/weights", "planted in weights"),
        ("at /home/me/my secret files/x.json: bad", "at x.json: bad"),
        ("No such file: '/home/me/my secret files/x y.json'", "No such file: 'x y.json'"),
        ("error:/home/me/x and file:///home/me/y", "error:x and y"),
        ("write to (/secret) or /secret.", "write to (secret) or secret."),
        ("see /metrics-of/me/x.json, /v1x/me/y and /healthz/", "see x.json, y and /healthz/"),
        (
            "ask /v1/songs, /metrics, http://a.example/b/c or and/or 1/2",
            "ask /v1/songs, /metrics, http://a.example/b/c or and/or 1/2",
        ),
        ("no word in '</b>' can be sung", "no word in '</b>' can be sung"),
        (f"free some in {tempfile.gettempdir()}, now", "free some in the temporary folder, now"),
    ],
)
def test_a_path_is_cut_to_its_last_part(said: str, told: str) -> None:
    assert without_paths(said) == told


def test_folders_of_the_server_are_called_by_what_they_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_known", {})
    hide_places({Path("/srv/our own songs"): "the songs", Path("/srv/our own songs/exports"): "the exports"})
    assert without_paths("cannot write to /srv/our own songs/0123abcd (full)") == "cannot write to 0123abcd (full)"
    assert without_paths("/srv/our own songs is full") == "the songs is full"
    assert without_paths("/srv/our own songs/exports: check it") == "the exports: check it"


def test_only_sentences_are_cleaned() -> None:
    told = with_clean_sentences({"error": "in /a/b/c", "reason": None, "transcript": "and /or /so", "wer": 0.5})
    assert told == {"error": "in c", "reason": None, "transcript": "and /or /so", "wer": 0.5}

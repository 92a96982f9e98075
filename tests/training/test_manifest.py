from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from engine.lyrics import parse_lyrics
from engine.plan import make_plan
from training.manifest import (
    ABOUT,
    MANIFEST,
    AboutCorpus,
    Corpus,
    CorpusError,
    NewClip,
    SungNote,
    TimedWord,
    read_corpus,
    write_corpus,
)

RATE = 8000
HERE = AboutCorpus(name="planted", description="three tones", licence="CC0-1.0")


def clip(name: str, hertz: float = 220, **fields: Any) -> NewClip:
    audio = 0.5 * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)
    return NewClip(name, {"lyrics": f"sing {name}", "caption": "folk", **fields}, audio[None], RATE)


def write(folder: Path, *clips: NewClip) -> Corpus:
    list(write_corpus(folder, HERE, clips))
    return read_corpus(folder)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / MANIFEST).read_text(encoding="utf-8").splitlines()]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    word = TimedWord(text="sing", start=0.1, end=0.5, notes=(SungNote(start=0.1, end=0.5, midi=60),))
    plan = make_plan(parse_lyrics("sing"), "folk", "low", 120, 1)
    fields: dict[str, Any] = {
        "lyrics": "[verse]\nsing\u2028夜\x85end",  # line separators that are not line feeds
        "words": (word,),
        "plan": plan,
        "tags": ("folk", "solo"),
        "singer": "EN-Alto-1",
        "style": "breathy",
        "source": "here",
        "licence": "CC0-1.0",
    }
    corpus = write(tmp_path, clip("a", **fields), clip("b"))
    first, second = corpus.clips
    assert corpus.about == HERE
    assert {key: getattr(first, key) for key in fields} == fields
    assert (second.lyrics, second.words, second.plan, second.tags) == ("sing b", None, None, ())
    assert first.seconds == 1.0 and corpus.hours == 2 / 3600
    assert first.sha256 == hashlib.sha256((tmp_path / first.audio).read_bytes()).hexdigest()
    assert soundfile.info(tmp_path / first.audio).frames == RATE


def test_the_fingerprint_follows_words_captions_and_sounds_but_no_folder(tmp_path: Path) -> None:
    fingerprints = [
        write(tmp_path / str(number), planted).fingerprint
        for number, planted in enumerate(
            (
                clip("a"),
                clip("a", lyrics="other words"),
                clip("a", caption="jazz"),
                clip("a", tags=("x",)),
                clip("a", words=(TimedWord(text="sing", start=0, end=1),)),
                clip("a", hertz=221),
            )
        )
    ]
    assert len(set(fingerprints)) == len(fingerprints)
    assert write(tmp_path / "again", clip("a")).fingerprint == fingerprints[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"audio": "../../etc/passwd"}, "leads out of the corpus"),
        ({"audio": "/etc/passwd"}, "leads out of the corpus"),
        ({"sha256": "abc"}, "sha256: 'abc' is not of the form"),
        ({"seconds": -1}, "seconds: -1 is too small: choose more than 0$"),
        ({"seconds": float("nan")}, "seconds must be a finite number"),
        ({"text": "sing"}, "text is not known here: leave it out"),
        ({"words": [{"text": "", "start": 0, "end": 1}]}, r"words\.0\.text is empty"),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path: Path, change: dict[str, object], said: str) -> None:
    write(tmp_path, clip("a"), clip("b"), clip("c"))
    rows = lines(tmp_path)
    rows[1].update(change)
    (tmp_path / MANIFEST).write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=rf"manifest\.jsonl, line 2: .*{said}"):
        read_corpus(tmp_path)


def test_a_torn_line_is_named_by_its_number(tmp_path: Path) -> None:
    write(tmp_path, clip("a"), clip("b"))
    path = tmp_path / MANIFEST
    path.write_text(path.read_text(encoding="utf-8")[:-20], encoding="utf-8")
    with pytest.raises(CorpusError, match="line 2"):
        read_corpus(tmp_path)


def test_a_folder_without_corpus_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="choirmaster corpus"):
        read_corpus(tmp_path)
    write(tmp_path, clip("a"))
    (tmp_path / ABOUT).write_text("{}", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"corpus\.json: name is missing"):
        read_corpus(tmp_path)
    (tmp_path / MANIFEST).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CorpusError, match="cannot be read"):
        read_corpus(tmp_path)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (clip("../../outside"), "leads out"),
        (clip("a", words="river"), "words must be a list"),
        (clip("good"), "two clips are named 'good'"),
    ],
)
def test_a_clip_that_may_not_be_is_refused_before_it_is_written(tmp_path: Path, bad: NewClip, said: str) -> None:
    folder = tmp_path / "deep" / "corpus"
    with pytest.raises(CorpusError, match=said):
        write(folder, clip("good"), bad)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["good.flac"]


def test_no_clip_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no clip"):
        write(tmp_path)


@pytest.mark.parametrize("stage", ["sound", "manifest"])
def test_a_full_disk_leaves_the_old_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    before = write(tmp_path, clip("a"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    name = "write_bytes_atomically" if stage == "sound" else "write_text_atomically"
    monkeypatch.setattr(f"training.manifest.{name}", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path, clip("b"), clip("c"))
    assert read_corpus(tmp_path) == before


def test_an_interrupt_leaves_the_old_corpus(tmp_path: Path) -> None:
    before = write(tmp_path, clip("a"))

    def interrupted() -> Iterator[NewClip]:
        yield clip("b")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(write_corpus(tmp_path, HERE, interrupted()))
    assert read_corpus(tmp_path) == before

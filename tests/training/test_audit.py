from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rich.console import Console

import training.audit
from adapters.card import VARIANTS, Variant
from training.audit import Audit, audit, check_variant, count_words
from training.audit_table import render
from training.manifest import MANIFEST, AboutCorpus, Corpus, CorpusError, NewClip, TimedWord, read_corpus, write_corpus

RATE = 8000


def tone(seconds: float = 1.0, hertz: float = 220, loud: float = 0.5) -> np.ndarray:
    return loud * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


def clip(name: str, audio: np.ndarray | None = None, rate: int = RATE, **fields: object) -> NewClip:
    """A clip of its own tone with two words, unless told otherwise."""
    sound = tone(hertz=200 + sum(map(ord, name))) if audio is None else audio
    return NewClip(name, {"lyrics": f"[verse]\nsing {name}", **fields}, np.atleast_2d(sound), rate)


def write(folder: Path, *clips: NewClip) -> Corpus:
    list(write_corpus(folder, AboutCorpus(name="planted"), clips))
    return read_corpus(folder)


def mixed(folder: Path, wordless: int, clips: int) -> Audit:
    """The audit of a corpus of which so many clips hold a section tag alone."""
    return audit(write(folder, *(clip(f"{n:03}", lyrics="[verse]" if n < wordless else "la la") for n in range(clips))))


def test_words_times_and_descriptions_are_counted(tmp_path: Path) -> None:
    word = TimedWord(text="river", start=0, end=1)
    corpus = write(
        tmp_path,
        clip("a", tone(1), lyrics="[verse]\nriver deep\nrun home", caption="folk", singer="x", words=(word,)),
        clip("b", tone(3), lyrics="夜 色 - don't", tags=("folk",), singer="x", style="breathy"),
        clip("c", tone(9), lyrics="[verse 1]\n\n[chorus]", caption=" ", singer="y"),
    )
    calls: list[tuple[int, int]] = []
    found = audit(corpus, lambda done, of: calls.append((done, of)))
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert (found.name, found.fingerprint, found.clips) == ("planted", corpus.fingerprint, 3)
    assert found.hours == pytest.approx(13 / 3600)
    assert (found.with_words, found.words, found.timed) == (2, 7, 1)
    assert found.words_per_second == pytest.approx(7 / 4)
    assert found.without_words == ("audio/c.flac",)
    assert (found.with_caption, found.with_tags) == (1, 1)
    assert found.singers == {"x": 2, "y": 1}
    assert found.styles == {"(none)": 2, "breathy": 1}
    assert (found.shortest, found.median, found.longest) == (1, 3, 9)
    assert [row for row in found.histogram if row[2]] == [(0, 2, 1), (2, 4, 1), (8, 10, 1)]
    assert found.sampling_rates == {RATE: 3} and found.channels == {1: 3}
    assert not found.broken and not found.duplicates and not found.wrong_length


def test_tags_and_punctuation_are_no_words() -> None:
    assert [count_words(text) for text in ("", "[verse]", "[verse: soft] - ... ♪", "[a]b [c]\nd'e f-g", "夜色")] == [
        0, 0, 0, 3, 1,
    ]  # fmt: skip


@pytest.mark.parametrize("block", [1 << 18, 3, 1])
def test_clipping_is_told_from_a_loud_peak_across_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(training.audit, "BLOCK", block)
    quiet = tone(0.02)
    peak, run, sides, split = quiet.copy(), quiet.copy(), np.stack([quiet, quiet]), quiet.copy()
    peak[50] = 1
    run[50:53] = (-1, 1, 1)
    sides[0, 50:52] = 1
    sides[1, 52:54] = 1  # two in each channel, never three in one
    split[50:52] = split[53:55] = 1
    found = audit(
        write(tmp_path, *(clip(n, a) for n, a in zip("abcde", (quiet, peak, run, sides, split), strict=True)))
    )
    assert (found.full_scale, found.cut_off) == (4, 1)
    assert found.channels == {1: 4, 2: 1}


def test_missing_broken_changed_and_doubled_sounds_are_found(tmp_path: Path) -> None:
    same = tone(1, 500)
    corpus = write(tmp_path, *(clip(n) for n in "abcdef"), clip("g", same), clip("h", same), clip("i", rate=16000))
    (tmp_path / "audio/a.flac").unlink()
    (tmp_path / "audio/b.flac").write_bytes(b"fLaC, or so it says")
    torn = (tmp_path / "audio/c.flac").read_bytes()
    (tmp_path / "audio/c.flac").write_bytes(torn[: len(torn) // 2])
    soundfile.write(tmp_path / "audio/d.flac", tone(1, 333), RATE)
    soundfile.write(tmp_path / "audio/e.flac", tone(2, 334), RATE)
    found = audit(corpus)
    assert found.missing == ("audio/a.flac",)
    assert found.unreadable == ("audio/b.flac", "audio/c.flac")
    assert found.changed == ("audio/d.flac", "audio/e.flac")
    assert found.wrong_length == ("audio/e.flac",)
    assert found.duplicates == (("audio/g.flac", "audio/h.flac"),)
    assert found.sampling_rates == {RATE: 5, 16000: 1}
    text = " | ".join(found.problems)
    for said in (
        "1 missing sound file",
        "audio/a.flac",
        "2 unreadable",
        "audio/g.flac = audio/h.flac",
        "2 sampling rates",
    ):
        assert said in text
    for variant in VARIANTS:
        with pytest.raises(CorpusError, match=r"5 of the 9 sounds .*audio/a\.flac.*restore them"):
            check_variant(found, variant)


def test_a_sound_without_a_header_is_unreadable(tmp_path: Path) -> None:
    corpus = write(tmp_path, clip("a"), clip("b"))
    raw = (tmp_path / "audio/b.flac").rename(tmp_path / "audio/b.raw")
    text = (tmp_path / MANIFEST).read_text().replace("audio/b.flac", f"audio/{raw.name}")
    (tmp_path / MANIFEST).write_text(text)
    assert audit(read_corpus(corpus.folder)).unreadable == ("audio/b.raw",)


@pytest.mark.parametrize("variant", ["lyrics", "lyrics-asr"])
def test_lyrics_variants_refuse_a_corpus_that_lacks_words(tmp_path: Path, variant: Variant) -> None:
    with pytest.raises(CorpusError) as raised:
        check_variant(mixed(tmp_path / "a", wordless=3, clips=40), variant)
    text = str(raised.value)
    for said in (
        "3 of 40",
        "7.5%",
        "5%",
        "audio/000.flac, audio/001.flac, audio/002.flac",
        "'lyrics'",
        "manifest.jsonl",
    ):
        assert said in text
    assert check_variant(mixed(tmp_path / "b", wordless=0, clips=3), variant) == []
    (note,) = check_variant(mixed(tmp_path / "c", wordless=2, clips=40), variant)  # 5 % is still allowed
    assert "2 of 40 clips have no words" in note and "audio/000.flac" in note
    with pytest.raises(CorpusError, match=r"100\.0%"):
        check_variant(mixed(tmp_path / "d", wordless=2, clips=2), variant)


def test_nolyrics_variants_say_that_the_words_are_dropped(tmp_path: Path) -> None:
    worded, wordless = mixed(tmp_path / "a", 1, 3), mixed(tmp_path / "b", 3, 3)
    for variant in ("nolyrics", "nolyrics-asr"):
        assert "drops the words of 2 of 3 clips" in check_variant(worded, variant)[0]
        assert "no words to drop" in check_variant(wordless, variant)[0]
    assert any("nolyrics variants only" in problem for problem in wordless.problems)


def test_the_findings_are_plain_json_and_a_table(tmp_path: Path) -> None:
    found = audit(write(tmp_path, clip("a", singer="[bold]x"), clip("b", np.ones(RATE), lyrics="")))
    assert json.loads(json.dumps(found.as_json()))["problems"] == found.problems
    shown = io.StringIO()
    Console(file=shown, width=110).print(render(found))
    for said in ("planted", "1 (50%)", "[bold]x 1", "8000 Hz (2)", "cut off at full scale", "no caption", "█"):
        assert said in shown.getvalue()


def test_a_corpus_without_faults_says_so(tmp_path: Path) -> None:
    found = audit(write(tmp_path, clip("a", caption="folk")))
    assert found.problems == []
    shown = io.StringIO()
    Console(file=shown, width=110).print(render(found))
    assert "no problems found" in shown.getvalue()

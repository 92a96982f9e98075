from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.training.gtsinger_tree import RATE, WORD_SECONDS, Tree, records, tone
from training import gtsinger as maker
from training.gtsinger import ABOUT, Gathering, JoinOptions, chunk, gather, make_clips
from training.gtsinger_captions import make_caption, make_tags, technique_of, voice_of
from training.gtsinger_records import (
    BAD_TIMES,
    MISSING,
    NO_KEY,
    TOO_LATE,
    UNREADABLE,
    WORDLESS,
    Labels,
    RecordError,
    read_records,
    spelling,
)
from training.manifest import Corpus, CorpusError, read_corpus, write_corpus

SHORT = JoinOptions(join_to=4, shortest=1, longest=8, pause=0.25)
SINGLE = JoinOptions(join_to=1, shortest=1, longest=8)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "GTSinger")


def make(tree: Tree, out: Path, options: JoinOptions = SINGLE, words: bool = True) -> tuple[Corpus, Gathering]:
    gathering = gather(tree.root, "English", options)
    list(write_corpus(out, ABOUT, make_clips(gathering, options, words)))
    return read_corpus(out), gathering


def reasons(gathering: Gathering) -> dict[str, int]:
    return {reason: len(files) for reason, files in gathering.dropped.items()}


def reason_of(path: Path, rows: object, seconds: float = 10) -> str:
    path.write_text(json.dumps(rows), encoding="utf-8")
    with pytest.raises(RecordError) as raised:
        read_records(path, seconds)
    return raised.value.reason


# records


def test_words_times_notes_and_labels_are_read_and_silence_and_breath_left_out(tmp_path: Path) -> None:
    path = tmp_path / "0000.json"
    path.write_text(json.dumps(records(["river", "deep"])), encoding="utf-8")
    found = read_records(path, 2.0)
    assert found.text == "river deep"
    assert [(w.start, w.end) for w in found.words] == [(0.4, 0.8), (0.8, 1.2)]
    assert [[(n.start, n.end, n.midi) for n in w.notes] for w in found.words] == [[(0.4, 0.8, 60)], [(0.8, 1.2, 61)]]
    assert found.labels == Labels("pop", "happy", "moderate", "medium")


@pytest.mark.parametrize("blank", ["", " ", "<SP>", "<AP>", "SP", "AP", "-", "..."])
def test_every_spelling_of_silence_is_silence(blank: str) -> None:
    assert spelling(blank) == ""


def test_words_keep_apostrophes_and_scripts_but_lose_brackets() -> None:
    assert [spelling(w) for w in (" don't ", "(oh)", "[hey]", "夜", "Straße", "breath", "a\u2028b")] == [
        "don't", "oh", "hey", "夜", "Straße", "breath", "a b",
    ]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_records_in_any_encoding_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "0000.json"
    path.write_bytes(json.dumps(records(["café", "noël"]), ensure_ascii=False).encode(encoding))
    assert read_records(path, 2.0).text == "café noël"


def test_a_word_may_have_several_notes_one_on_its_own_or_lengths_alone(tmp_path: Path) -> None:
    row: dict[str, Any] = {"word": "ah", "start_time": 1.0, "end_time": 2.0}
    rows = [
        {**row, "note": [60, 0, 62], "note_start": [1, 1.4, 1.5], "note_end": [1.4, 1.5, 2.3]},
        {**row, "start_time": 2, "end_time": 3, "note": 64, "note_start": 2.0, "note_end": 3.0},
        {**row, "start_time": "3", "end_time": "5", "note": [65, 67], "note_dur": [3, 1]},
        {**row, "start_time": 5, "end_time": 6, "note": [65, "x", None, float("nan"), 500], "note_dur": []},
        {**row, "start_time": 6, "end_time": 7},
    ]
    (tmp_path / "0000.json").write_text(json.dumps(rows), encoding="utf-8")
    found = [[(n.start, n.end, n.midi) for n in w.notes] for w in read_records(tmp_path / "0000.json", 7).words]
    assert found == [
        [(1, 1.4, 60), (1.5, 2, 62)], [(2, 3, 64)], [(3, 4.5, 65), (4.5, 5, 67)], [(5, 5.2, 65)], [],
    ]  # fmt: skip


def test_what_cannot_be_true_has_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "0000.json"
    with pytest.raises(RecordError, match=MISSING):
        read_records(path, 1)
    assert reason_of(path, {"words": []}) == UNREADABLE
    assert reason_of(path, ["river"]) == UNREADABLE
    assert reason_of(path, []) == WORDLESS
    assert reason_of(path, records([])) == WORDLESS
    assert reason_of(path, records(["", " "])) == WORDLESS
    assert reason_of(path, records(["river"], key="text")) == NO_KEY
    assert reason_of(path, [*records(["river"]), {"text": "deep"}]) == NO_KEY
    assert reason_of(path, records(["river", "deep"])[::-1]) == BAD_TIMES
    assert reason_of(path, [{"word": "river"}]) == BAD_TIMES
    assert reason_of(path, [{"word": "river", "start_time": 2, "end_time": 1}]) == BAD_TIMES
    assert reason_of(path, [{"word": "a" * 101, "start_time": 1, "end_time": 2}]) == BAD_TIMES
    assert reason_of(path, [{"word": 5, "start_time": 1, "end_time": 2}]) == UNREADABLE
    assert reason_of(path, records(["river"] * 9), seconds=2) == TOO_LATE
    path.write_bytes(b'[{"word": "\x81"}]')
    with pytest.raises(RecordError, match=UNREADABLE):
        read_records(path, 1)
    path.write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(RecordError, match=UNREADABLE):
        read_records(path, 1)


# captions


def test_captions_and_tags_say_what_folders_and_labels_say() -> None:
    labels = Labels("bel canto", "sad", "slow", "low")
    caption = make_caption("English", "EN-Alto-2", "breathy", labels)
    tags = make_tags("English", "EN-Alto-2", "breathy", labels)
    for part in ("female alto", "breathy technique", "bel canto", "sad", "slow pace", "low vocal range", "English"):
        assert part in caption
    assert {"female vocals", "alto", "breathy", "sad", "slow pace", "english", "a cappella"} <= set(tags)
    assert len(set(tags)) == len(tags)


def test_what_is_not_known_is_left_out_of_the_caption() -> None:
    caption = make_caption("", "X-1", "natural", Labels())
    assert ", ," not in caption and "  " not in caption
    assert not {"mood", "pace", "range", "female", "male"} & set(caption.replace(",", "").split())
    assert "" not in make_tags("", "X-1", "natural", Labels())


def test_singers_and_groups_are_read() -> None:
    assert [voice_of(s) for s in ("EN-Tenor-1", "IT-Bass-2", "KO-Soprano-1", "Bob")] == [
        ("male", "tenor"), ("male", "bass"), ("female", "soprano"), ("", ""),
    ]  # fmt: skip
    assert [technique_of(g) for g in ("Control_Group", "Mixed_Voice_Group", "Breathy_Group")] == [
        "natural", "mixed voice", "breathy",
    ]  # fmt: skip


# joining


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([], []),
        ([2], [(0, 1)]),
        ([5, 5], [(0, 1), (1, 2)]),
        ([2, 2, 2, 2], [(0, 2), (2, 4)]),
        ([2, 2, 1], [(0, 3)]),  # what is left joins the clip before
        ([3, 6, 1], [(0, 1), (1, 3)]),  # never beyond the limit
        ([4, 4, 7.9, 1], [(0, 1), (1, 2), (2, 3), (3, 4)]),
    ],
)
def test_neighbours_are_joined_within_the_limits(lengths: list[float], expected: list[tuple[int, int]]) -> None:
    assert [(s.start, s.stop) for s in chunk(lengths, SHORT)] == expected


def test_no_chunk_is_lost_or_too_long() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        lengths = rng.uniform(0.2, 8, rng.integers(1, 12)).tolist()
        spans = chunk(lengths, SHORT)
        assert [i for s in spans for i in range(s.start, s.stop)] == list(range(len(lengths)))
        assert all(sum(lengths[s]) + 0.25 * (s.stop - s.start - 1) <= 8 for s in spans)


def test_options_that_cannot_be_are_refused() -> None:
    with pytest.raises(CorpusError, match="shortest <= join-to <= longest"):
        JoinOptions(join_to=30, longest=20)


def test_joined_clips_have_their_words_shifted_and_a_pause_between(tree: Tree, tmp_path: Path) -> None:
    folder = tree.group()
    for words in (["river", "deep"], ["run", "home", "now"]):  # 1.6 s and 2.0 s
        tree.add(folder, words)
    corpus, gathering = make(tree, tmp_path / "out", SHORT)
    (clip,) = corpus.clips
    assert clip.lyrics == "[verse]\nriver deep\nrun home now"
    assert clip.seconds == pytest.approx(1.6 + 0.25 + 2.0)
    assert clip.words is not None
    assert [(w.text, w.start) for w in clip.words] == [
        ("river", 0.4), ("deep", 0.8), ("run", 2.25), ("home", 2.65), ("now", 3.05),
    ]  # fmt: skip
    assert [n.start for w in clip.words for n in w.notes] == [w.start for w in clip.words]
    assert (clip.singer, clip.style, clip.licence) == ("EN-Alto-1", "natural", "CC-BY-NC-SA-4.0")
    assert clip.source == "GTSinger/English/EN-Alto-1/Breathy/all is found/Control_Group/0000+0001"
    audio, rate = soundfile.read(corpus.folder / clip.audio)
    assert rate == RATE and len(audio) == round(3.85 * RATE)
    assert not audio[round(1.6 * RATE) : round(1.85 * RATE)].any()
    assert abs(audio[: round(1.6 * RATE)]).max() > 0.4
    assert not gathering.lost


def test_songs_groups_rates_and_labels_are_never_mixed(tree: Tree, tmp_path: Path) -> None:
    tree.add(tree.group(), ["one"])
    tree.add(tree.group("other song"), ["two"])
    tree.add(tree.group(group="Breathy_Group"), ["three"])
    tree.add(tree.group(singer="EN-Tenor-1"), ["four"])
    tree.add(tree.group(), ["five"], records(["five"], {"emotion": "sad"}))
    wav = tree.add(tree.group(), ["six"], records(["six"], {"emotion": "sad"}))
    soundfile.write(wav, tone(2.4), 2 * RATE)
    corpus, _ = make(tree, tmp_path / "out", SHORT)
    assert len(corpus.clips) == 6
    assert {c.style for c in corpus.clips} == {"natural", "breathy"}
    assert len({c.caption for c in corpus.clips}) == 4


# the whole tree


def test_every_recording_left_out_is_counted_under_its_reason(tree: Tree, tmp_path: Path) -> None:
    folder = tree.group()
    first = tree.add(folder, ["good", "words"])
    for number in range(30):
        tree.add(folder, ["good", str(number)])
    tree.add(tree.group(group="Paired_Speech_Group"), ["spoken"])
    tree.add(folder, ["no", "sidecar"]).with_suffix(".json").unlink()
    tree.add(folder, ["torn"]).with_suffix(".json").write_text('[{"word": "to', encoding="utf-8")
    tree.add(folder, ["listless"], rows={"word": "listless"})
    tree.add(folder, [""])
    tree.add(folder, ["wrong", "key"], records(["wrong", "key"], key="text"))
    tree.add(folder, ["out", "of", "order"], records(["out", "of", "order"])[::-1])
    tree.add(folder, ["broken"]).write_bytes(b"RIFF, or so it says")
    tree.add(folder, ["silent"], audio=np.zeros(2 * RATE, np.float32))
    tree.add(folder, ["brief"], [{"word": "brief", "start_time": 0, "end_time": 0.5}], tone(0.6, 999))
    tree.add(folder, ["long"], audio=tone(9))
    tree.add(tree.group("other"), ["Good", "WORDS"])  # the same words of the same singer and group
    copy = tree.add(tree.group("yet another"), ["other", "words"])
    shutil.copy(first, copy)
    tree.add(tree.root / "English" / "loose", ["outside"])
    corpus, gathering = make(tree, tmp_path / "out")
    assert reasons(gathering) == {
        maker.SPEECH: 1, MISSING: 1, UNREADABLE: 2, WORDLESS: 1, NO_KEY: 1, BAD_TIMES: 1, maker.BROKEN: 1,
        maker.QUIET: 1, "shorter than 1 s": 1, "longer than 8 s": 1, maker.SAME_WORDS: 1, maker.SAME_SOUND: 1,
        maker.OUTSIDE: 1,
    }  # fmt: skip
    assert len(corpus.clips) == 31 == gathering.found - gathering.lost
    assert all(clip.words for clip in corpus.clips)
    assert all("0" in files[0] for files in gathering.dropped.values())


def test_a_corpus_under_another_key_fails_before_any_sound_is_written(tree: Tree, tmp_path: Path) -> None:
    for number in range(10):
        tree.add(tree.group(), ["word", str(number)], records(["word"], key="text" if number < 2 else "word"))
    with pytest.raises(
        CorpusError, match=r"2 of 10 .* without the key 'word'.*0000\.json.*has the keys text, start_time"
    ):
        make(tree, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_tree_of_which_nothing_is_left_says_why(tree: Tree, tmp_path: Path) -> None:
    tree.add(tree.group(), ["no", "sidecar"]).with_suffix(".json").unlink()
    with pytest.raises(CorpusError, match=MISSING):
        make(tree, tmp_path / "out")


def test_languages_are_chosen_and_others_named(tree: Tree, tmp_path: Path) -> None:
    tree.add(tree.group(), ["english"])
    tree.add(tree.group(singer="ZH-Tenor-1"), ["夜", "色"])
    assert [r.singer for r, _ in gather(tree.root, "chinese", SINGLE).recordings] == ["ZH-Tenor-1"]
    assert len(gather(tree.root, "", SINGLE).recordings) == 2
    assert len(gather(tree.root / "English", "English", SINGLE).recordings) == 1
    assert len(gather(tree.root / "English" / "EN-Alto-1", "English", SINGLE).recordings) == 1
    with pytest.raises(CorpusError, match=r"of French; its recordings: Chinese \(1\), English \(1\)"):
        gather(tree.root, "French", SINGLE)
    with pytest.raises(CorpusError, match="is no folder"):
        gather(tmp_path / "nowhere", "English", SINGLE)


def test_the_version_without_words_has_the_same_sounds(tree: Tree, tmp_path: Path) -> None:
    tree.add(tree.group(), ["river", "deep"])
    worded, _ = make(tree, tmp_path / "a")
    wordless, _ = make(tree, tmp_path / "b", words=False)
    (a,), (b,) = worded.clips, wordless.clips
    assert (a.sha256, a.caption, a.audio) == (b.sha256, b.caption, b.audio)
    assert (b.lyrics, b.words) == ("[verse]", None)
    assert worded.fingerprint != wordless.fingerprint


def test_two_makings_are_the_same(tree: Tree, tmp_path: Path) -> None:
    for words in (["river"], ["deep"], ["home"]):
        tree.add(tree.group(), words)
    assert make(tree, tmp_path / "a", SHORT)[0].fingerprint == make(tree, tmp_path / "b", SHORT)[0].fingerprint


def test_the_generated_words_fill_their_sound() -> None:
    assert records(["a", "b"])[-1]["end_time"] == pytest.approx(4 * WORD_SECONDS)

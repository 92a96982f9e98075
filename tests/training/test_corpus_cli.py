from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from tests.training.gtsinger_tree import Tree, records
from tests.verbs import Run, verb_runner
from training.manifest import MANIFEST, read_corpus

run = verb_runner("corpus")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Six recordings of 1.2 s and a spoken one."""
    tree = Tree(tmp_path / "GTSinger")
    for song in ("all is found", "my love"):
        for word in ("river", "deep", "home"):
            tree.add(tree.group(song), [f"{word} {song[:2]}"])
    tree.add(tree.group(group="Paired_Speech_Group"), ["spoken"])
    return tree


def test_gtsinger_writes_a_corpus_with_words_and_one_without(tree: Tree, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "corpus"
    code, shown, _ = run("gtsinger", "--source", tree.root, "--out", out, "--join-to", "3")
    assert code == 0
    worded, wordless = read_corpus(out), read_corpus(tmp_path / "corpus-nowords")
    assert [c.lyrics.count("\n") for c in worded.clips] == [3, 3]
    assert [(c.lyrics, c.words) for c in wordless.clips] == [("[verse]", None)] * 2
    assert [(a.sha256, a.caption) for a in worded.clips] == [(b.sha256, b.caption) for b in wordless.clips]
    assert wordless.about.name == "GTSinger without words"
    assert json.loads((out / "left-out.json").read_text(encoding="utf-8")) == {
        "spoken, not sung": ["English/EN-Alto-1/Breathy/all is found/Paired_Speech_Group/0000.wav"]
    }
    assert (out / worded.clips[0].audio).samefile(tmp_path / "corpus-nowords" / wordless.clips[0].audio)
    for said in ("7 recordings found, 6 used in 2 clips", "1 left out", "spoken, not sung", str(out), f"{out}-nowords"):
        assert said in shown


@pytest.mark.parametrize(("option", "lyrics"), [("--words", "[verse]\nriver al"), ("--no-words", "[verse]")])
def test_one_version_alone_is_written_to_out(tree: Tree, tmp_path: Path, run: Run, option: str, lyrics: str) -> None:
    code, shown, _ = run("gtsinger", "--source", tree.root, "--out", tmp_path / "c", option, "--join-to", "1")
    assert code == 0
    assert read_corpus(tmp_path / "c").clips[0].lyrics == lyrics
    assert not (tmp_path / "c-nowords").exists()
    assert f"{'with' if option == '--words' else 'without'} words is in" in shown


def test_a_corpus_is_replaced_only_when_asked_to(tree: Tree, tmp_path: Path, run: Run) -> None:
    arguments = ("gtsinger", "--source", tree.root, "--out", tmp_path / "c", "--join-to")
    assert run(*arguments, "1")[0] == 0
    code, _, said = run(*arguments, "3")
    assert code == 2 and "--replace" in said
    assert len(read_corpus(tmp_path / "c").clips) == 6
    assert run(*arguments, "3", "--replace")[0] == 0
    for folder in ("c", "c-nowords"):
        assert len(read_corpus(tmp_path / folder).clips) == 2
        assert len(list((tmp_path / folder / "audio").iterdir())) == 2


def test_sounds_of_someone_else_are_not_cleared_away(tree: Tree, tmp_path: Path, run: Run) -> None:
    mine = tmp_path / "music" / "audio" / "mine.flac"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    for extra in ((), ("--replace",)):
        code, _, said = run("gtsinger", "--source", tree.root, "--out", tmp_path / "music", *extra)
        assert code == 2 and "holds sounds of no corpus" in said
    assert mine.read_bytes() == b"mine" and list((tmp_path / "music").iterdir()) == [mine.parent]


def test_a_wrong_key_stops_the_maker_with_one_line(tree: Tree, tmp_path: Path, run: Run) -> None:
    tree.add(tree.group(), ["lost"], records(["lost"], key="text"))
    code, _, said = run("gtsinger", "--source", tree.root, "--out", tmp_path / "c")
    assert code == 2
    assert "without the key 'word'" in said and "0003.json" in said
    assert not (tmp_path / "c").exists()


def test_an_interrupt_leaves_no_manifest_and_says_so(
    tree: Tree, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training import gtsinger

    clips = gtsinger.make_clips

    def interrupted(*arguments: object) -> object:
        yield next(clips(*arguments))  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(gtsinger, "make_clips", interrupted)
    code, _, said = run("gtsinger", "--source", tree.root, "--out", tmp_path / "c", "--join-to", "1")
    assert code == 130
    assert "was not touched: run the same command again" in " ".join(said.split())
    assert not (tmp_path / "c" / MANIFEST).exists()
    monkeypatch.undo()
    assert run("gtsinger", "--source", tree.root, "--out", tmp_path / "c")[0] == 0
    assert not list(tmp_path.glob("c*/.unfinished"))


def test_an_interrupted_replacement_leaves_the_old_corpus_whole(
    tree: Tree, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training import gtsinger
    from training.audit import audit

    arguments = ("gtsinger", "--source", tree.root, "--out", tmp_path / "c", "--join-to")
    assert run(*arguments, "1")[0] == 0
    before, clips = read_corpus(tmp_path / "c"), gtsinger.make_clips

    def interrupted(*arguments: object) -> object:
        yield from clips(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(gtsinger, "make_clips", interrupted)
    assert run(*arguments, "3", "--replace")[0] == 130
    assert read_corpus(tmp_path / "c") == before
    assert not audit(before).broken


def test_a_full_disk_is_one_line(tree: Tree, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("training.manifest.write_bytes_atomically", full)
    code, _, said = run("gtsinger", "--source", tree.root, "--out", tmp_path / "c")
    assert code == 2
    assert "No space left on device" in said and "free some space" in said


def test_audit_shows_a_table_writes_json_and_checks_a_variant(tree: Tree, tmp_path: Path, run: Run) -> None:
    run("gtsinger", "--source", tree.root, "--out", tmp_path / "c", "--join-to", "1")
    report = tmp_path / "reports" / "audit.json"
    code, shown, _ = run("audit", tmp_path / "c", "--json", report, "--variant", "lyrics")
    assert code == 0
    for said in ("GTSinger", "6 (100%)", "EN-Alto-1 6", "8000 Hz (6)", str(report), "lyrics can be trained on"):
        assert said in shown
    assert json.loads(report.read_text(encoding="utf-8"))["with_words"] == 6

    code, shown, said = run("audit", tmp_path / "c-nowords", "--variant", "lyrics-asr")
    assert code == 2 and "6 of 6 clips" in said and "'lyrics'" in said
    assert "GTSinger without words" in shown
    code, shown, _ = run("audit", tmp_path / "c", "--variant", "nolyrics")
    assert code == 0 and "drops the words of 6 of 6" in shown


def test_auditing_nothing_says_how_to_make_a_corpus(tmp_path: Path, run: Run) -> None:
    code, _, said = run("audit", tmp_path)
    assert code == 2 and "choirmaster corpus" in said

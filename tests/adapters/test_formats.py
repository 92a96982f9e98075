"""Every kind of adapter file, built as its tool builds it, applied by that tool's own rule, imported and compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from adapters.errors import AdapterError
from adapters.formats import read_weights
from adapters.importing import import_adapter
from adapters.naming import diffusers_name, original_name
from adapters.safetensors_file import TensorFile
from adapters.weights import LowRank
from engine.song_model import load_song_model
from tests.adapters.foreign import ATTENTION, apply, base_of, deltas, pairs, sing, twins, write_peft


def sung_by_us(path: Path) -> tuple[torch.Tensor, list[str]]:
    """Outputs of the tree in diffusers names with the adapter at ``path`` imported, and the import's notes."""
    ours = twins()[1]
    weights, _, notes = import_adapter(path, "mine", base_of(ours), "stand-in")
    apply(ours, deltas(weights))
    return sing(ours), notes


def assert_same_song(got: torch.Tensor, wanted: torch.Tensor) -> None:
    assert (got - wanted).abs().max() < 1e-5
    assert (got - sing(twins()[0])).abs().max() > 1e-2, "the adapter changed nothing"


def trained(config: peft.LoraConfig, folder: Path) -> torch.Tensor:
    """Save an adapter with peft itself, on original names; return its outputs."""
    model = peft.get_peft_model(twins()[0], config)
    generator = torch.Generator().manual_seed(3)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.15
    model.save_pretrained(str(folder), save_embedding_layers=False)
    model.eval()
    return sing(model)


QKVO = ["q_proj", "k_proj", "v_proj", "o_proj"]


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"r": 8, "lora_alpha": 16, "target_modules": QKVO, "lora_dropout": 0.1}, id="the trainer's own"),
        pytest.param({"r": 8, "lora_alpha": 16, "target_modules": QKVO, "use_rslora": True}, id="rslora"),
        pytest.param({"r": 4, "lora_alpha": 4, "target_modules": ["v_proj", "o_proj"]}, id="v and o"),
        pytest.param({"r": 3, "lora_alpha": 7, "target_modules": ["gate_proj", "up_proj", "down_proj"]}, id="mlp"),
        pytest.param(
            {
                "r": 4,
                "lora_alpha": 8,
                "target_modules": [*QKVO, "condition_embedder"],
                "rank_pattern": {"layers.0.self_attn.q_proj": 2, "cross_attn.v_proj": 6, "condition_embedder": 5},
                "alpha_pattern": {"layers.1.cross_attn.k_proj": 3, ".*self_attn.o_proj": 32, "^condition_embedder": 1},
            },
            id="mixed ranks and alphas",
        ),
        pytest.param(
            {"r": 4, "lora_alpha": 8, "target_modules": r"layers\.1\..*_proj", "init_lora_weights": "gaussian"},
            id="one layer",
        ),
        pytest.param(
            {"r": 4, "lora_alpha": 8, "target_modules": QKVO, "use_rslora": True,
             "rank_pattern": {"v_proj": 2}, "alpha_pattern": {"k_proj": 3}},
            id="rslora of mixed ranks",
        ),
    ],
)  # fmt: skip
def test_what_peft_saves_sings_the_same(config: dict[str, Any], tmp_path: Path) -> None:
    wanted = trained(peft.LoraConfig(**config), tmp_path / "final" / "adapter")
    got, _ = sung_by_us(tmp_path)
    assert_same_song(got, wanted)


@pytest.mark.parametrize("infix", ["", ".default", ".singer"])
def test_an_infix_of_peft_is_no_part_of_the_name(infix: str, tmp_path: Path) -> None:
    planted = pairs(ATTENTION)
    write_peft(tmp_path, planted, infix=infix)
    reference = twins()[0]
    apply(reference, {name: 2.0 * (layer.up.double() @ layer.down.double()) for name, layer in planted.items()})
    assert_same_song(sung_by_us(tmp_path)[0], sing(reference))


def test_peft_in_diffusers_names(tmp_path: Path) -> None:
    planted = pairs(ATTENTION)
    write_peft(tmp_path, {diffusers_name(name): layer for name, layer in planted.items()})
    reference = peft.get_peft_model(
        twins()[1], peft.LoraConfig(r=4, lora_alpha=8, target_modules=["to_q", "to_k", "to_v", "to_out.0"])
    )
    loaded: Any = peft.set_peft_model_state_dict(reference, load_file(tmp_path / "adapter_model.safetensors"))
    assert not loaded.unexpected_keys
    assert_same_song(sung_by_us(tmp_path)[0], sing(reference.eval()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_stored_types_are_kept(dtype: torch.dtype, tmp_path: Path) -> None:
    planted = pairs(ATTENTION, dtype=dtype)
    write_peft(tmp_path, planted)
    weights, _, _ = import_adapter(tmp_path, "mine", base_of(twins()[1]), "stand-in")
    for name, layer in planted.items():
        read = weights[diffusers_name(name)]
        assert read.down.dtype == read.up.dtype == dtype
        assert torch.equal(read.down, layer.down) and torch.equal(read.up, layer.up)


@pytest.mark.parametrize(
    "prefix", ["diffusion_model.decoder.", "diffusion_model.", "decoder.", "model.diffusion_model.decoder.", ""]
)
@pytest.mark.parametrize("sides", [("lora_down", "lora_up"), ("lora_A", "lora_B")])
def test_comfyui(prefix: str, sides: tuple[str, str], tmp_path: Path) -> None:
    names = [*ATTENTION, "layers.0.mlp.gate_proj", "condition_embedder"]
    tensors: dict[str, torch.Tensor] = {}
    changes: dict[str, torch.Tensor] = {}
    for i, (name, layer) in enumerate(pairs(names, rank=3).items()):
        alpha = 1.5 + i
        tensors[f"{prefix}{name}.{sides[0]}.weight"] = layer.down
        tensors[f"{prefix}{name}.{sides[1]}.weight"] = layer.up
        tensors[f"{prefix}{name}.alpha"] = torch.tensor(alpha)
        changes[name] = alpha / 3 * (layer.up.double() @ layer.down.double())
    save_file(tensors, tmp_path / "song.safetensors")
    reference = twins()[0]
    apply(reference, changes)
    got, notes = sung_by_us(tmp_path / "song.safetensors")
    assert_same_song(got, sing(reference))
    assert not any("alpha" in note for note in notes)


@pytest.mark.parametrize("flat", ["lycoris_", "lora_unet_", "lycoris_decoder_"])
def test_lora_of_lycoris(flat: str, tmp_path: Path) -> None:
    tensors: dict[str, torch.Tensor] = {}
    changes: dict[str, torch.Tensor] = {}
    for name, layer in pairs(ATTENTION).items():
        key = flat + name.replace(".", "_")
        tensors |= {
            f"{key}.lora_down.weight": layer.down,
            f"{key}.lora_up.weight": layer.up,
            f"{key}.alpha": torch.tensor(8.0),
        }
        changes[name] = 2.0 * (layer.up.double() @ layer.down.double())
    save_file(tensors, tmp_path / "lora_weights.safetensors", metadata={"algo": "lora"})
    reference = twins()[0]
    apply(reference, changes)
    assert_same_song(sung_by_us(tmp_path)[0], sing(reference))


def test_without_any_alpha_the_scale_is_one_and_a_note_says_so(tmp_path: Path) -> None:
    planted = pairs(ATTENTION)
    save_file(
        {
            f"transformer.{diffusers_name(n)}.lora_{s}.weight": t
            for n, layer in planted.items()
            for s, t in (("A", layer.down), ("B", layer.up))
        },
        tmp_path / "pytorch_lora_weights.safetensors",
    )
    reference = twins()[0]
    apply(reference, deltas(planted))
    got, notes = sung_by_us(tmp_path)
    assert_same_song(got, sing(reference))
    assert any("16 of 16 layers come without alpha: taken at scale 1" in note for note in notes)


def lokr_parts(out: int, inner: int, w1: int | None, w2: int | None) -> dict[str, torch.Tensor]:
    """Random LoKr parts of a layer; ``w1`` and ``w2`` are ranks of the halves, None for whole ones."""
    a, c = (2, 3) if inner % 3 == 0 else (2, 2)
    parts = {}
    for key, rows, columns, rank in (("lokr_w1", a, c, w1), ("lokr_w2", out // a, inner // c, w2)):
        if rank is None:
            parts[key] = torch.randn(rows, columns) * 0.5
        else:
            parts |= {f"{key}_a": torch.randn(rows, rank) * 0.5, f"{key}_b": torch.randn(rank, columns) * 0.5}
    return parts


def lokr_change(parts: dict[str, torch.Tensor], alpha: float) -> torch.Tensor:
    """kron(w1, w2) * scale, entry by entry from the definition of the product, in float64."""
    wide = {key: part.double() for key, part in parts.items()}
    w1 = wide["lokr_w1"] if "lokr_w1" in wide else wide["lokr_w1_a"] @ wide["lokr_w1_b"]
    w2 = wide["lokr_w2"] if "lokr_w2" in wide else wide["lokr_w2_a"] @ wide["lokr_w2_b"]
    ranks = [part.shape[1] for key, part in wide.items() if key.endswith("_a")]
    scale = alpha / ranks[0] if ranks else 1.0
    return torch.einsum("ac,bd->abcd", w1, w2).reshape(w1.shape[0] * w2.shape[0], -1) * scale


@pytest.mark.parametrize("ranks", [(None, 1), (None, 2), (1, 1), (2, 2), (2, None), (None, None)])
@pytest.mark.parametrize("prefix", ["lycoris_", "diffusion_model.decoder."])
def test_lokr(ranks: tuple[int | None, int | None], prefix: str, tmp_path: Path) -> None:
    torch.manual_seed(5)
    base = base_of(twins()[0])
    tensors: dict[str, torch.Tensor] = {}
    changes: dict[str, torch.Tensor] = {}
    for i, name in enumerate([*ATTENTION, "layers.1.mlp.down_proj"]):
        parts = lokr_parts(*base.shapes[name], *ranks)
        alpha = 2.0 + i % 3
        key = prefix + (name.replace(".", "_") if prefix == "lycoris_" else name)
        tensors |= {f"{key}.{part}": tensor for part, tensor in parts.items()} | {f"{key}.alpha": torch.tensor(alpha)}
        changes[name] = lokr_change(parts, alpha)
    save_file(tensors, tmp_path / "lokr_weights.safetensors", metadata={"lokr_config": json.dumps({"linear_dim": 2})})
    reference = twins()[0]
    apply(reference, changes)
    got, _ = sung_by_us(tmp_path)
    assert_same_song(got, sing(reference))


def test_lokr_takes_no_more_rank_than_the_layer_has(tmp_path: Path) -> None:
    torch.manual_seed(5)
    base = base_of(twins()[1])
    name = "layers.0.self_attn.to_q"
    for ranks, wanted in {(None, 1): 2, (1, 1): 1, (2, 2): 4, (None, None): 8}.items():
        parts = lokr_parts(12, 12, *ranks)
        file = TensorFile(
            {f"lycoris_layers_0_self_attn_q_proj.{k}": v for k, v in parts.items()}
            | {"lycoris_layers_0_self_attn_q_proj.alpha": torch.tensor(4.0)},
            {},
        )
        assert read_weights(file, base).weights[name].rank == wanted
    wide = {"lokr_w1": torch.randn(4, 4), "lokr_w2": torch.randn(3, 3)}
    layer = read_weights(TensorFile({f"layers.0.self_attn.q_proj.{k}": v for k, v in wide.items()}, {}), base).weights[
        name
    ]
    assert layer.rank == 12 and torch.equal(layer.down, torch.eye(12).half())
    assert (layer.delta(torch.float64) - lokr_change(wide, 1.0)).abs().max() < 1e-6


def read(
    tensors: dict[str, torch.Tensor], config: dict[str, Any] | None = None, metadata: dict[str, str] | None = None
) -> dict[str, LowRank]:
    return read_weights(TensorFile(tensors, metadata or {}), base_of(twins()[1]), config).weights


A, B = torch.ones(2, 12), torch.ones(12, 2)
Q = "base_model.model.layers.0.self_attn.q_proj"
LYCORIS = "lycoris_layers_0_self_attn_q_proj"
GOOD = {f"{Q}.lora_A.weight": A, f"{Q}.lora_B.weight": B}
PLAIN = {"r": 2, "lora_alpha": 4}
TOLD = {"lora_adapter_metadata": json.dumps(PLAIN)}
W1 = {f"{LYCORIS}.lokr_w1": A}


@pytest.mark.parametrize(
    ("tensors", "metadata", "message"),
    [
        (GOOD | {f"{Q}.lora_magnitude_vector": torch.ones(12)}, {}, "lora_magnitude_vector, which is DoRA"),
        (W1 | {f"{LYCORIS}.dora_scale": A}, {}, "dora_scale, which is DoRA"),
        ({f"{LYCORIS}.hada_w1_a": A}, {}, "hada_w1_a, which is LoHa"),
        ({f"{LYCORIS}.lokr_t2": A}, {}, "Tucker"),
        (GOOD | {"text_encoder.bias": A}, {}, "text_encoder.bias, which belong to no LoRA"),
        ({f"layers.{i}.self_attn.to_q.weight": A for i in range(9)}, {}, "and 5 more, which belong to no LoRA"),
        ({f"{Q}.lora_A.weight": A}, {}, r"has no lora_B \(lora_up\)"),
        ({f"{Q}.lora_B.weight": B}, {}, r"has no lora_A \(lora_down\)"),
        ({f"{Q}.alpha": torch.tensor(1.0)}, {}, "has no lora_A"),
        (GOOD | {f"{Q}.lora_A.other.weight": A}, {}, "two down matrices"),
        (GOOD | {f"{Q.replace('q_p', 'k_p')}.lora_A.other.weight": A}, {}, "the adapters None, other: save one"),
        (GOOD | {"decoder.layers.0.self_attn.to_q.lora_A.weight": A}, {}, "adapts it twice"),
        ({f"{Q}.lora_A.weight": torch.ones(2, 12, 1), f"{Q}.lora_B.weight": B}, {}, r"has the shape \[2, 12, 1\]"),
        ({f"{Q}.lora_A.weight": A[:0], f"{Q}.lora_B.weight": B[:, :0]}, {}, r"has the shape \[0, 12\]"),
        (GOOD | {f"{Q}.alpha": torch.ones(2)}, {}, "alpha is a tensor of 2 values"),
        (GOOD | {f"{Q}.alpha": torch.tensor(float("nan"))}, {}, "alpha is nan"),
        (GOOD | {f"{Q}.alpha": torch.tensor(0.0)}, {}, "alpha is 0"),
        (GOOD | {f"{Q}.alpha": torch.tensor(7.0)}, TOLD, "scale 3.5 in its own alpha and 2"),
        (GOOD, {}, "no adapter_config.json"),
        (GOOD, {"lora_adapter_metadata": "{"}, "lora_adapter_metadata in the file's header is not JSON"),
        (W1, {}, "either lokr_w2 or both lokr_w2_a and lokr_w2_b, and has none"),
        (W1 | {f"{LYCORIS}.lokr_w2_a": B}, {}, "and has lokr_w2_a"),
        (W1 | {f"{LYCORIS}.lokr_w2_a": B, f"{LYCORIS}.lokr_w2_b": A}, {}, "has no alpha"),
        (W1 | {f"{LYCORIS}.lokr_w2_a": B, f"{LYCORIS}.lokr_w2_b": B}, {}, "of rank 2 and lokr_w2_b of rank 12"),
        (W1 | {f"{LYCORIS}.lokr_w2": torch.ones(2, 2, 3)}, {}, "no matrix"),
        (W1 | {f"{LYCORIS}.lokr_w2": A}, {"lokr_config": '{"rs_lora": true}'}, "disagree on its scale"),
        (W1 | {f"{LYCORIS}.lokr_w2": A}, {"lokr_config": "[]"}, "holds a JSON list, not an object"),
        (W1 | {f"{LYCORIS}.lora_up.weight": A}, {}, "both a low-rank pair and a LoKr"),
        ({"x" * 400 + ".lora_A.weight": A}, {}, "belong to no LoRA"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_exactly_is_refused(
    tensors: dict[str, torch.Tensor], metadata: dict[str, str], message: str
) -> None:
    with pytest.raises(AdapterError, match=message):
        read(tensors, metadata=metadata)


@pytest.mark.parametrize("key", [f"{LYCORIS}.lokr_w1_a", f"{LYCORIS}.lokr_w2_a"])
def test_lokr_factors_of_different_ranks_are_refused(key: str) -> None:
    parts = {f"{LYCORIS}.{k}": v for k, v in lokr_parts(12, 12, 1, 2).items()}
    with pytest.raises(AdapterError, match="rank 1 and 2: readers of LoKr disagree"):
        read(parts | {f"{LYCORIS}.alpha": torch.tensor(1.0)})


def test_the_same_scale_said_twice_is_no_contradiction() -> None:
    weights = read(GOOD | {f"{Q}.alpha": torch.tensor(4.0)}, PLAIN)
    assert weights["layers.0.self_attn.to_q"].scale == 2.0


def test_names_unknown_to_the_base_pass_through_for_the_fit_to_name() -> None:
    assert list(read({"lycoris_no_such.lora_A.weight": A, "lycoris_no_such.lora_B.weight": B})) == ["lycoris_no_such"]


#: Of noise, condition and context.
SHAPES = ((1, 16, 64), (1, 7, 192), (1, 16, 128))


def saved_by_diffusers(model: Any, folder: Path, level: str) -> None:
    if level == "transformer":
        model.transformer.save_lora_adapter(str(folder))
    else:
        layers = peft.get_peft_model_state_dict(model.transformer)
        metadata = {
            k: sorted(v) if isinstance(v, set) else v
            for k, v in model.transformer.peft_config["default"].to_dict().items()
        }
        model.pipeline.save_lora_weights(
            str(folder), transformer_lora_layers=layers, transformer_lora_adapter_metadata=metadata
        )


def sung(transformer: nn.Module) -> torch.Tensor:
    """Velocities of the embedded transformer for a fixed input."""
    generator = torch.Generator().manual_seed(7)
    noise, condition, context = (torch.randn(shape, generator=generator) for shape in SHAPES)
    now = torch.tensor([0.5])
    with torch.no_grad():
        out: torch.Tensor = transformer(noise, now, now, condition, context, return_dict=False)[0]
    return out


@pytest.mark.parametrize("level", ["transformer", "pipeline"])
def test_what_diffusers_saves_sings_the_same_on_the_embedded_model(level: str, tmp_path: Path) -> None:
    model = load_song_model()
    transformer = model.transformer
    base = base_of(transformer)
    generator = torch.Generator().manual_seed(0)
    bare = sung(transformer)
    transformer.add_adapter(
        peft.LoraConfig(
            r=4, lora_alpha=8, target_modules=["to_q", "to_v", "to_out.0"], alpha_pattern={"cross_attn.to_q": 2}
        )
    )
    for name, parameter in transformer.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.1
    wanted = sung(transformer)
    saved_by_diffusers(model, tmp_path, level)
    transformer.delete_adapters("default")
    assert torch.equal(sung(transformer), bare)
    weights, card, _ = import_adapter(tmp_path, "mine", base, "tiny")
    apply(transformer, deltas(weights))
    got = sung(transformer)
    assert (got - wanted).abs().max() < 1e-5
    assert (wanted - bare).abs().max() > 1e-2
    assert card.layers == 36 and card.source.startswith("diffusers: ")


@pytest.mark.parametrize("form", ["the trainer's", "lokr"])
def test_files_in_original_names_sing_the_same_on_the_embedded_model(form: str, tmp_path: Path) -> None:
    transformer = load_song_model().transformer
    base = base_of(transformer)
    torch.manual_seed(0)
    changes = {}
    planted: dict[str, LowRank] = {}
    tensors: dict[str, torch.Tensor] = {}
    for name, (out, inner) in base.shapes.items():
        if "_attn.to_" not in name:
            continue
        if form == "lokr":
            parts = {"lokr_w1": torch.randn(8, 8) * 0.1, "lokr_w2_a": torch.randn(out // 8, 4) * 0.3}
            parts["lokr_w2_b"] = torch.randn(4, inner // 8) * 0.3
            key = f"lycoris_{original_name(name).replace('.', '_')}"
            tensors |= {f"{key}.{part}": tensor for part, tensor in parts.items()} | {f"{key}.alpha": torch.tensor(8.0)}
            changes[name] = lokr_change(parts, 8.0)
        else:
            layer = LowRank(torch.randn(8, inner) * 0.1, torch.randn(out, 8) * 0.1)
            planted[original_name(name)] = layer
            changes[name] = 2.0 * (layer.up.double() @ layer.down.double())
    if form == "lokr":
        save_file(tensors, tmp_path / "lokr_weights.safetensors")
    else:
        write_peft(tmp_path / "final" / "adapter", planted)
    weights, card, _ = import_adapter(tmp_path, "mine", base, "tiny")
    assert card.layers == 48
    bare = sung(transformer)
    pristine = {name: value.clone() for name, value in transformer.state_dict().items()}
    apply(transformer, changes)
    wanted = sung(transformer)
    transformer.load_state_dict(pristine)
    apply(transformer, deltas(weights))
    assert (sung(transformer) - wanted).abs().max() < 1e-5
    assert (wanted - bare).abs().max() > 1e-2

"""LoRA files: the tools they are for load them, and the model then does what folding by hand does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AceStepPipeline
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import load_file

from adapters.base import Base
from adapters.blending import concatenate
from adapters.errors import AdapterError
from adapters.importing import import_adapter
from adapters.lora_export import LORA_FORMATS, LoraFormat, write_lora
from adapters.naming import original_name
from adapters.weights import LowRank
from engine.song_model import load_song_model
from tests.adapters.exported import adapter, folded, same_change, transformer, velocity

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
MLP = ("gate_proj", "up_proj", "down_proj")
TARGETS = {
    "attention": ATTENTION,
    "value and output only": ("to_v", "to_out.0"),
    "mlp only": MLP,
    "everything": (*ATTENTION, *MLP, "condition_embedder", "linear_1", "time_proj"),
}


@pytest.fixture(scope="module")
def parts() -> dict[str, Any]:
    """The embedded model's parts beside its transformer."""
    components = load_song_model().pipeline.components
    return {name: part for name, part in components.items() if name != "transformer"}


# --- each format through its own tool


@pytest.mark.parametrize("targets", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("scale", [1.0, 2.0, 0.3])
def test_diffusers_sings_with_the_right_scale_and_mixed_ranks(
    tmp_path: Path, parts: dict[str, Any], targets: tuple[str, ...], scale: float
) -> None:
    weights = adapter(transformer(), targets, rank=2, scale=scale)
    write_lora(weights, tmp_path, "diffusers")
    wanted, base = velocity(folded(transformer(), weights)), velocity(transformer())
    assert (wanted - base).abs().max() > 1e-2
    through_pipeline = AceStepPipeline(transformer=transformer(), **parts)
    through_pipeline.load_lora_weights(tmp_path, use_safetensors=True)
    torch.testing.assert_close(velocity(through_pipeline.transformer), wanted, atol=1e-5, rtol=1e-4)
    direct = transformer()
    direct.load_lora_adapter(tmp_path, use_safetensors=True)
    torch.testing.assert_close(velocity(direct), wanted, atol=1e-5, rtol=1e-4)


def test_the_embedded_model_takes_a_blend_through_its_own_pipeline(tmp_path: Path) -> None:
    model = load_song_model()
    one, two = (adapter(model.transformer, ATTENTION, rank=r, scale=s, seed=r) for r, s in ((8, 2.0), (4, 0.5)))
    blend = concatenate([(0.06, one), (0.04, two)])
    base = velocity(model.transformer)
    write_lora(blend, tmp_path, "diffusers")
    model.pipeline.load_lora_weights(tmp_path, use_safetensors=True, adapter_name="blend")
    got, wanted = velocity(model.transformer), velocity(folded(load_song_model().transformer, blend))
    assert (got - wanted).abs().max() < 1e-4 < (wanted - base).abs().max()
    model.pipeline.delete_adapters("blend")
    assert torch.equal(velocity(model.transformer), base)


def test_diffusers_needs_no_header(tmp_path: Path, parts: dict[str, Any]) -> None:
    # ranks and alphas follow from the tensors alone, as in a reader that knows nothing of the header
    weights = adapter(transformer(), ATTENTION, rank=2, scale=2.0)
    made = AceStepPipeline(transformer=transformer(), **parts)
    made.load_lora_weights(load_file(write_lora(weights, tmp_path, "diffusers")))
    wanted = velocity(folded(transformer(), weights))
    torch.testing.assert_close(velocity(made.transformer), wanted, atol=1e-5, rtol=1e-4)


def test_diffusers_own_loader_drops_what_has_no_prefix(tmp_path: Path, parts: dict[str, Any]) -> None:
    # the trap that the format avoids: in ACE-Step's names a file of v and o only is silently not loaded
    weights = adapter(transformer(), ("to_v", "to_out.0"), rank=2, scale=1.0)
    made = AceStepPipeline(transformer=transformer(), **parts)
    made.load_lora_weights(load_file(write_lora(weights, tmp_path, "original")))
    assert torch.equal(velocity(made.transformer), velocity(transformer()))


@pytest.mark.parametrize("targets", TARGETS.values(), ids=TARGETS)
def test_peft_loads_its_folder(tmp_path: Path, targets: tuple[str, ...]) -> None:
    weights = adapter(transformer(), targets, rank=2, scale=2.0)
    write_lora(weights, tmp_path, "peft")
    model = PeftModel.from_pretrained(transformer(), str(tmp_path))
    got = velocity(model.base_model.model)
    torch.testing.assert_close(got, velocity(folded(transformer(), weights)), atol=1e-5, rtol=1e-4)


def test_peft_loads_the_original_names_into_a_module_that_has_them(tmp_path: Path) -> None:
    # a stand-in for ACE-Step's decoder: modules of its names, at which PEFT aims
    weights = adapter(transformer(), ATTENTION, rank=2, scale=2.0)
    root = torch.nn.Module()
    for name, layer in weights.items():
        here = root
        *path, last = original_name(name).split(".")
        for part in path:
            if not hasattr(here, part):
                here.add_module(part, torch.nn.Module())
            here = here.get_submodule(part)
        linear = torch.nn.Linear(layer.shape[1], layer.shape[0], bias=False)
        torch.nn.init.zeros_(linear.weight)
        here.add_module(last, linear)
    write_lora(weights, tmp_path, "original")
    merged = PeftModel.from_pretrained(root, str(tmp_path)).merge_and_unload()
    for name, layer in weights.items():
        torch.testing.assert_close(merged.get_submodule(original_name(name)).weight, layer.delta())


def test_the_original_keys_are_those_of_ace_steps_trainer(tmp_path: Path) -> None:
    weights = adapter(transformer(1), ATTENTION, rank=2, scale=2.0)
    keys = set(load_file(write_lora(weights, tmp_path, "original")))
    assert keys == {
        f"base_model.model.layers.0.{block}.{kind}_proj.lora_{side}.weight"
        for block in ("self_attn", "cross_attn")
        for kind in "qkvo"
        for side in "AB"
    }
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["peft_type"]) == (2, 4, "LORA")


def test_comfyui_keys_alpha_and_change(tmp_path: Path) -> None:
    weights = adapter(transformer(1), ("to_v", "up_proj"), rank=3, scale=2.0)
    path = write_lora(weights, tmp_path, "comfyui", name="folk")
    tensors = load_file(path)
    assert path.name == "folk.safetensors" and len(tensors) == 3 * len(weights)
    for name, layer in weights.items():
        key = f"diffusion_model.decoder.{original_name(name)}"
        up, down, alpha = (tensors[f"{key}.{end}"] for end in ("lora_up.weight", "lora_down.weight", "alpha"))
        assert alpha.shape == ()
        torch.testing.assert_close(alpha / down.shape[0] * up @ down, layer.delta())  # ComfyUI's own rule


# --- round trips


@pytest.mark.parametrize("form", LORA_FORMATS)
@pytest.mark.parametrize("targets", TARGETS.values(), ids=TARGETS)
def test_every_format_comes_back_by_import(tmp_path: Path, form: LoraFormat, targets: tuple[str, ...]) -> None:
    model = transformer()
    one, two = (adapter(model, targets, rank=r, scale=s, seed=r) for r, s in ((2, 2.0), (3, 0.5)))
    blend = concatenate([(0.6, one), (-0.4, two)])
    path = write_lora(blend, tmp_path, form)
    came, *_ = import_adapter(tmp_path if form in ("peft", "original") else path, "back", Base.of(model), "tiny")
    same_change(blend, came)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 2e-2), (torch.float16, 2e-3)])
@pytest.mark.parametrize("form", LORA_FORMATS)
def test_half_floats(tmp_path: Path, form: LoraFormat, dtype: torch.dtype, tolerance: float) -> None:
    model = transformer()
    weights = adapter(model, ATTENTION, rank=2, scale=2.0)
    path = write_lora(weights, tmp_path, form, dtype)
    assert {t.dtype for key, t in load_file(path).items() if not key.endswith("alpha")} == {dtype}
    came, *_ = import_adapter(tmp_path if form in ("peft", "original") else path, "back", Base.of(model), "tiny")
    same_change(weights, came, tolerance)


# --- what it says, and what it refuses


def test_the_header_tells_what_it_is(tmp_path: Path) -> None:
    weights = adapter(transformer(1), ATTENTION, rank=2, scale=2.0)
    with safe_open(write_lora(weights, tmp_path, "comfyui", about={"rank": 8}), framework="pt") as file:
        assert json.loads(file.metadata()["choirmaster"]) == {"rank": 8} and file.metadata()["format"] == "pt"


def test_an_empty_blend_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="empty"):
        write_lora({}, tmp_path, "peft")


def test_values_too_large_for_half_floats_are_refused_by_name(tmp_path: Path) -> None:
    weights = {"layers.0.self_attn.to_q": LowRank(torch.ones(1, 4), torch.full((4, 1), 1e5))}
    with pytest.raises(AdapterError, match=r"layers\.0\.self_attn\.to_q\.lora_B\.weight .* 65504.*bf16 or fp32"):
        write_lora(weights, tmp_path, "peft", torch.float16)

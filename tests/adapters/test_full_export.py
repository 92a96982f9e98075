"""Whole models with a blend folded in: they load without adapters and do what folding by hand does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers import AceStepTransformer1DModel
from diffusers.pipelines.ace_step import AceStepAudioTokenDetokenizer, AceStepAudioTokenizer, AceStepConditionEncoder
from safetensors import safe_open
from safetensors.torch import load_file

from adapters.blending import concatenate
from adapters.errors import AdapterError
from adapters.full_export import FullFormat, planned_tensors, write_full
from adapters.lora_export import write_lora
from adapters.merging import merge
from adapters.original_layout import checkpoint_config, checkpoint_name
from adapters.shards import Planned, cut_shards, parse_size, write_file, write_shards
from adapters.weights import AdapterWeights, LowRank
from tests.adapters.exported import adapter, condition_encoder, folded, song_model, transformer, velocity

TARGETS = ("to_q", "to_v", "to_out.0", "up_proj")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return song_model(tmp_path_factory.mktemp("model"))


def blend() -> AdapterWeights:
    one, two = (adapter(transformer(), TARGETS, rank=r, scale=s, seed=r) for r, s in ((2, 2.0), (3, 0.5)))
    return concatenate([(0.6, one), (0.4, two)])


def read_all(paths: list[Path]) -> dict[str, torch.Tensor]:
    return {key: tensor for path in paths for key, tensor in load_file(path).items()}


def as_the_converter_names(key: str) -> tuple[str, str]:
    """Part and name of an original tensor in diffusers, by the rules of scripts/convert_ace_step_to_diffusers.py."""
    if key == "null_condition_emb":
        return "condition_encoder", key
    prefix, _, name = key.partition(".")
    if prefix == "decoder":
        name = re.sub(r"\bproj_(in|out)\.1\.", r"proj_\1_conv.", name)
    for old, new in (("q_proj", "to_q"), ("k_proj", "to_k"), ("v_proj", "to_v"), ("o_proj", "to_out.0")):
        name = name.replace(f".{old}.", f".{new}.")
    name = name.replace(".q_norm.", ".norm_q.").replace(".k_norm.", ".norm_k.")
    parts = ["transformer", "condition_encoder", "audio_tokenizer", "audio_token_detokenizer"]
    return dict(zip(["decoder", "encoder", "tokenizer", "detokenizer"], parts, strict=True))[prefix], name


# --- the diffusers layout


@pytest.mark.parametrize("shard_size", [10**9, 120_000])
def test_diffusers_loads_it_and_it_does_what_folding_by_hand_does(model: Path, tmp_path: Path, shard_size: int) -> None:
    done = write_full(model, blend(), tmp_path, "full-diffusers", shard_size=shard_size)
    assert (len(done.files) > 1) == (shard_size < 10**9)
    assert (tmp_path / "diffusion_pytorch_model.safetensors.index.json").exists() == (len(done.files) > 1)
    loaded = AceStepTransformer1DModel.from_pretrained(tmp_path)
    difference = (velocity(loaded) - velocity(folded(transformer(), blend()))).abs().max()
    assert difference < 1e-5 and (velocity(loaded) - velocity(transformer())).abs().max() > 1e-2


def test_without_a_composition_it_is_the_base_bit_for_bit(model: Path, tmp_path: Path) -> None:
    done = write_full(model, {}, tmp_path, "full-diffusers")
    written, base = read_all(done.files), transformer().state_dict()
    assert written.keys() == base.keys() and all(torch.equal(written[key], base[key]) for key in base)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_change_is_added_in_float32_and_then_cast(model: Path, tmp_path: Path, dtype: torch.dtype) -> None:
    done = write_full(model, blend(), tmp_path, "full-diffusers", dtype)
    wanted, written = folded(transformer(), blend()).to(dtype).state_dict(), read_all(done.files)
    for key in wanted:
        assert written[key].dtype == dtype
        torch.testing.assert_close(written[key], wanted[key])
    assert done.size == sum(t.numel() * 2 for t in wanted.values())


def test_a_merge_computed_layer_by_layer_folds_like_its_full_matrices(model: Path, tmp_path: Path) -> None:
    one, two = (adapter(transformer(), TARGETS, rank=2, scale=2.0, seed=s) for s in (1, 2))
    weights = merge([(0.5, one), (0.5, two)], "ties", density=0.3)
    done = write_full(model, weights, tmp_path, "full-diffusers")
    wanted = folded(transformer(), dict(weights)).state_dict()
    for key, tensor in read_all(done.files).items():
        torch.testing.assert_close(tensor, wanted[key])


def test_a_layer_the_model_lacks_is_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match=r"no layer layers\.9\.self_attn\.to_q"):
        write_full(
            model, {"layers.9.self_attn.to_q": LowRank(torch.ones(1, 4), torch.ones(4, 1))}, tmp_path, "full-diffusers"
        )


def test_a_disk_too_small_is_found_out_before_writing(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.full_export.shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(AdapterError, match=r"needs 0\.00 GB"):
        write_full(model, {}, tmp_path, "full-diffusers")
    assert not any(tmp_path.iterdir())


# --- the original layout


def test_the_original_checkpoint_goes_back_through_the_converters_rules(model: Path, tmp_path: Path) -> None:
    done = write_full(model, blend(), tmp_path, "full-original")
    assert [path.name for path in done.files] == ["model.safetensors"]
    states: dict[str, dict[str, torch.Tensor]] = {"transformer": {}, "condition_encoder": {}}
    for key, tensor in read_all(done.files).items():
        part, name = as_the_converter_names(key)
        states[part][name] = tensor
    silence = torch.load(tmp_path / "silence_latent.pt", weights_only=True)
    states["condition_encoder"]["silence_latent"] = silence.transpose(1, 2)
    encoder = condition_encoder()
    for key, tensor in encoder.state_dict().items():
        assert torch.equal(states["condition_encoder"].pop(key), tensor)
    assert not states["condition_encoder"]
    again = transformer()
    again.load_state_dict(states["transformer"])
    torch.testing.assert_close(velocity(again), velocity(folded(transformer(), blend())), atol=1e-5, rtol=0)
    assert any("tokenizer. and detokenizer." in note for note in done.notes)


def test_its_config_tells_both_parts_as_the_converter_reads_them(model: Path, tmp_path: Path) -> None:
    write_full(model, {}, tmp_path, "full-original")
    config = json.loads((tmp_path / "config.json").read_text())
    ours = transformer().config
    for key in ("hidden_size", "num_hidden_layers", "head_dim", "in_channels", "patch_size", "sliding_window"):
        assert config[key] == ours[key]
    assert config["layer_types"] == ["sliding_attention", "full_attention", "sliding_attention"]
    assert config["encoder_hidden_size"] == 40 and "encoder_num_attention_heads" not in config
    assert (config["model_type"], config["text_hidden_dim"], config["torch_dtype"]) == ("acestep", 24, "float32")


def test_a_model_that_the_original_config_cannot_tell_is_named() -> None:
    parts = {"transformer": {"head_dim": 64, "num_hidden_layers": 1}, "condition_encoder": {"head_dim": 48}}
    _, differing = checkpoint_config(parts, "float32")
    assert differing == ["head_dim (64 in the transformer, 48 in the condition encoder)"]


def test_every_name_of_the_full_size_model_goes_there_and_back() -> None:
    with torch.device("meta"):
        parts = {
            "transformer": AceStepTransformer1DModel(),
            "condition_encoder": AceStepConditionEncoder(),
            "audio_tokenizer": AceStepAudioTokenizer(),
            "audio_token_detokenizer": AceStepAudioTokenDetokenizer(),
        }
    names = {(part, name) for part, m in parts.items() for name in m.state_dict() if name != "silence_latent"}
    original = {checkpoint_name(*pair): pair for pair in names}
    assert len(original) == len(names) > 600
    assert all(as_the_converter_names(key) == pair for key, pair in original.items())
    assert not [key for key in original if re.search(r"to_[qkv]|to_out|norm_[qk]|_conv", key)]
    for key in (
        "decoder.proj_in.1.weight",
        "decoder.proj_out.1.bias",
        "decoder.layers.23.cross_attn.o_proj.weight",
        "decoder.layers.0.self_attn.q_norm.weight",
        "encoder.lyric_encoder.layers.7.self_attn.k_proj.weight",
        "encoder.timbre_encoder.special_token",
        "null_condition_emb",
        "tokenizer.attention_pooler.layers.0.self_attn.v_proj.weight",
        "detokenizer.proj_out.weight",
    ):
        assert key in original


# --- shards


def planned(name: str, tensor: torch.Tensor) -> Planned:
    return Planned(name, tuple(tensor.shape), tensor.dtype, lambda: tensor)


def test_shards_hold_the_limit_and_a_large_tensor_stands_alone() -> None:
    tensors = [planned(str(i), torch.zeros(n)) for i, n in enumerate((10, 10, 30, 5, 5, 5, 10))]
    assert [[t.name for t in shard] for shard in cut_shards(tensors, 80)] == [["0", "1"], ["2"], ["3", "4", "5"], ["6"]]


def test_files_are_what_safetensors_writes(tmp_path: Path) -> None:
    tensors = {
        "bytes": torch.arange(3, dtype=torch.uint8),
        "half": torch.randn(3, 5).half(),
        "brain": torch.randn(7).bfloat16(),
        "scalar": torch.tensor(2.5),
        "strided": torch.randn(4, 6).T,
        "none": torch.zeros(0, 4),
    }
    write_file(tmp_path / "x.safetensors", [planned(*pair) for pair in tensors.items()], {"format": "pt"})
    read = load_file(tmp_path / "x.safetensors")
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[key], tensor) and read[key].dtype == tensor.dtype for key, tensor in tensors.items())


def test_the_index_names_every_tensor(tmp_path: Path) -> None:
    tensors = {f"t{i}": torch.randn(100) for i in range(5)}
    seen: list[int] = []
    paths = write_shards(tmp_path, "m", [planned(*pair) for pair in tensors.items()], 900, {}, seen.append)
    assert [p.name for p in paths] == [f"m-0000{i}-of-00003.safetensors" for i in (1, 2, 3)] and sum(seen) == 2000
    index = json.loads((tmp_path / "m.safetensors.index.json").read_text())
    assert index["metadata"] == {"total_size": 2000} and index["weight_map"].keys() == tensors.keys()
    for name, file in index["weight_map"].items():
        with safe_open(tmp_path / file, framework="pt") as opened:
            assert torch.equal(opened.get_tensor(name), tensors[name])


@pytest.mark.parametrize(("text", "size"), [("5GB", 5 * 10**9), ("500mb", 5 * 10**8), ("1.5 GB", 1_500_000_000)])
def test_shard_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "5", "5XB", "-5GB", "0MB", "nanGB", "infGB"])
def test_no_shard_sizes(text: str) -> None:
    with pytest.raises(AdapterError, match="like 5GB"):
        parse_size(text)


@pytest.mark.parametrize("form", ["full-diffusers", "full-original"])
def test_a_missing_config_is_named(form: FullFormat, tmp_path: Path) -> None:
    song_model(tmp_path / "model")
    (tmp_path / "model" / "transformer" / "config.json").unlink()
    (tmp_path / "out").mkdir()
    with pytest.raises(AdapterError, match=r"transformer/config\.json"):
        write_full(tmp_path / "model", {}, tmp_path / "out", form)


def test_a_missing_shard_is_named(model: Path, tmp_path: Path) -> None:
    index = {"weight_map": {"a": "diffusion_pytorch_model-00001-of-00002.safetensors"}}
    (tmp_path / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(AdapterError, match=r"00001-of-00002\.safetensors is missing"):
        list(planned_tensors(tmp_path))


# --- memory

_MEASURED = """
import contextlib, sys
from pathlib import Path
import torch
from adapters.full_export import write_full
from adapters.weights import LowRank
torch.set_num_threads(1)

def anonymous() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))

def peak() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

torch.ones(512, 512) @ torch.ones(512, 512)
weights = {}
for i in range(int(sys.argv[3])):
    for block in ("self_attn", "cross_attn"):
        weights[f"layers.{i}.{block}.to_q"] = LowRank(torch.randn(8, 768), torch.randn(768, 8), 2.0)
with contextlib.suppress(OSError):  # begin the peak anew, where the system lets us
    Path("/proc/self/clear_refs").write_text("5")
before, before_all, highest = anonymous(), peak(), 0

def start(total):
    def advance(size):
        global highest
        highest = max(highest, anonymous())
    return advance

done = write_full(Path(sys.argv[1]), weights, Path(sys.argv[2]), "full-diffusers", torch.float32,
                  shard_size=int(sys.argv[4]), start=start)
print(highest - before, peak() - before_all, max(f.stat().st_size for f in done.files), done.size)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc, which Linux alone has")
def test_memory_holds_one_layer_not_one_shard(tmp_path: Path) -> None:
    layers = 8
    big = AceStepTransformer1DModel(
        hidden_size=768, intermediate_size=2304, num_hidden_layers=layers, num_attention_heads=12,
        num_key_value_heads=4, head_dim=64,
    )  # fmt: skip
    big.bfloat16().save_pretrained(tmp_path / "model" / "transformer", max_shard_size="60MB")
    del big
    out = tmp_path / "out"
    out.mkdir()
    arguments = [sys.executable, "-c", _MEASURED, str(tmp_path / "model"), str(out), str(layers), str(150 * 10**6)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    anonymous, resident, shard, size = map(int, done.stdout.split())
    # base in fp32 about 310 MB in three shards; what the process holds itself is a few tensors of 7 to 14 MB
    assert size > 250e6 and shard > 100e6
    assert anonymous < 0.7 * shard
    assert resident < 1.3 * shard + size  # with the pages of the model's files that the system keeps mapped


def test_a_lora_and_the_whole_model_agree(model: Path, tmp_path: Path) -> None:
    weights = blend()
    write_lora(weights, tmp_path, "diffusers")
    with_lora = transformer()
    with_lora.load_lora_adapter(tmp_path, use_safetensors=True)
    (tmp_path / "full").mkdir()
    write_full(model, weights, tmp_path / "full", "full-diffusers")
    loaded = AceStepTransformer1DModel.from_pretrained(tmp_path / "full")
    torch.testing.assert_close(velocity(loaded), velocity(with_lora), atol=1e-5, rtol=1e-4)

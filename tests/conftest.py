"""Fixtures of all tests. The environment is set before anything else, since the libraries read it when imported."""

import os

os.environ.update(
    HF_HUB_OFFLINE="1",
    TRANSFORMERS_OFFLINE="1",
    GRADIO_ANALYTICS_ENABLED="False",
    TOKENIZERS_PARALLELISM="false",
)
# The models of the tests are so small that threads cost more than they gain, above all beside other work.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import settings

from engine.song_model import SongModel

# An example takes as long as the machine is busy with other things: time is no failure.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> SongModel:
    """A song model of the embedded architecture with random weights, written and loaded like the shipped one."""
    import torch

    from engine.codec import WorldCodec
    from engine.song_model import load_song_model
    from engine.tokenizer import SongTokenizer
    from training.release import release
    from training.tiny import TinyParts

    torch.manual_seed(0)
    tokenizer, codec = SongTokenizer(), WorldCodec()
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, 35)).astype(np.float32)
    features[:, 32] = 5 + 0.1 * features[:, 32]
    features[:, 34] = -abs(features[:, 34])
    codec.fit([features])
    folder = tmp_path_factory.mktemp("random-model")
    release(TinyParts(tokenizer), codec, tokenizer, folder)
    return load_song_model(folder)

"""The architecture of the embedded song model: diffusers' own ACE-Step classes with small configs, freshly
initialised."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AceStepTransformer1DModel
from diffusers.pipelines.ace_step.modeling_ace_step import AceStepConditionEncoder
from torch import nn
from transformers import Qwen3Config, Qwen3Model

from engine.codec import LATENT_CHANNELS
from engine.plan import slot_sinusoids
from engine.tokenizer import MAX_SLOTS, SongTokenizer, slot_token

WIDTH, LAYERS, HEADS, KV_HEADS, MLP, WINDOW = 256, 6, 4, 2, 768, 32
ENCODER_WIDTH, LYRIC_LAYERS, TIMBRE_LAYERS, ENCODER_WINDOW = 192, 3, 1, 8
TEXT_WIDTH, TEXT_LAYERS, TEXT_MLP = 128, 2, 256


class TinyParts(nn.Module):
    """The three trained parts of the embedded model, under the names diffusers' pipeline gives them."""

    def __init__(self, tokenizer: SongTokenizer) -> None:
        super().__init__()
        self.text_encoder = Qwen3Model(
            Qwen3Config(
                vocab_size=tokenizer.vocab_size,
                hidden_size=TEXT_WIDTH,
                intermediate_size=TEXT_MLP,
                num_hidden_layers=TEXT_LAYERS,
                num_attention_heads=4,
                num_key_value_heads=2,
                head_dim=TEXT_WIDTH // 4,
                tie_word_embeddings=False,
                max_position_embeddings=512,
            )
        )
        self.condition_encoder = AceStepConditionEncoder(
            hidden_size=ENCODER_WIDTH,
            intermediate_size=ENCODER_WIDTH * 2,
            text_hidden_dim=TEXT_WIDTH,
            timbre_hidden_dim=LATENT_CHANNELS,
            num_lyric_encoder_hidden_layers=LYRIC_LAYERS,
            num_timbre_encoder_hidden_layers=TIMBRE_LAYERS,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=ENCODER_WIDTH // 4,
            rope_theta=10000.0,
            sliding_window=ENCODER_WINDOW,
        )
        self.transformer = AceStepTransformer1DModel(
            hidden_size=WIDTH,
            intermediate_size=MLP,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=KV_HEADS,
            head_dim=WIDTH // HEADS,
            in_channels=3 * LATENT_CHANNELS,
            audio_acoustic_hidden_dim=LATENT_CHANNELS,
            patch_size=1,
            rope_theta=10000.0,
            sliding_window=WINDOW,
            encoder_hidden_size=ENCODER_WIDTH,
        )
        embedding: Any = self.text_encoder.get_input_embeddings().weight
        with torch.no_grad():
            nn.init.normal_(embedding, std=1.0)
            # slots start as the sinusoids the plan shows, so that rare high slots line up like common low ones
            for slot in range(MAX_SLOTS):
                row = embedding[tokenizer.ids([slot_token(slot)])[0]]
                row.zero_()[:32] = torch.from_numpy(slot_sinusoids(slot)).float() * 2.0

    def condition(
        self,
        caption_ids: torch.Tensor,
        caption_mask: torch.Tensor,
        lyric_ids: torch.Tensor,
        lyric_mask: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Packed conditioning [batch, tokens, 192] and its mask, lyric tokens first; ids and masks are [batch,
        tokens]."""
        rows = len(lyric_ids)
        text = self.text_encoder(input_ids=caption_ids, attention_mask=caption_mask).last_hidden_state
        # the silence latent is constant in time, so a few frames of it encode like the 750 a pipeline passes
        reference = self.condition_encoder.silence_latent[:, :8].expand(rows, -1, -1)
        packed, mask = self.condition_encoder(
            text,
            caption_mask.bool(),
            self.text_encoder.get_input_embeddings()(lyric_ids),
            lyric_mask.bool(),
            reference,
            torch.arange(rows, device=lyric_ids.device),
        )
        return packed, mask

"""A Gemma 3 of random weights, in a folder as the library saves one: everything of the real model but sense."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, trainers
from transformers import (
    Gemma3Config,
    Gemma3ForCausalLM,
    Gemma3ForConditionalGeneration,
    Gemma3TextConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    SiglipVisionConfig,
)

SPECIAL = [
    "<pad>",
    "<eos>",
    "<bos>",
    "<unk>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<unused94>",
    "<unused95>",
    "<image>",
]
TEXTS = [
    'No chest pain. Aspirin 81 mg daily for the left knee, [{"text":"rash","label":"Problem"}] and "Medication".',
    "Labels: Problem, Medication\n\n<note>\nthe patient was seen today\n</note>\n\nAnswer:",
]
N_VOCAB = 512  # more than the tokenizer has, as in MedGemma


def save_tiny_gemma(folder: Path, *, seed: int = 0, is_multimodal: bool = False) -> Path:
    """Save model and tokenizer to `folder`. Sliding windows of 16 tokens in every second layer."""
    _save_tokenizer(folder)
    torch.manual_seed(seed)
    text = Gemma3TextConfig(
        vocab_size=N_VOCAB,
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=4,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=24,
        sliding_window=16,
        layer_types=["sliding_attention", "full_attention"] * 2,
        max_position_embeddings=4096,
        initializer_range=0.3,
        tie_word_embeddings=False,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
    )
    if is_multimodal:
        vision = SiglipVisionConfig(
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=1,
            image_size=28,
            patch_size=14,
        )
        config = Gemma3Config(
            text_config=text,
            vision_config=vision,
            mm_tokens_per_image=4,
            image_token_index=8,
            tie_word_embeddings=False,
        )
        model: PreTrainedModel = Gemma3ForConditionalGeneration(config)
    else:
        model = Gemma3ForCausalLM(text)
    model.save_pretrained(folder)
    return folder


def _save_tokenizer(folder: Path) -> None:
    """A BPE that falls back to bytes and writes spaces as Gemma's does."""
    learner = Tokenizer(models.BPE())
    learner.normalizer = normalizers.Replace(" ", "▁")
    learner.train_from_iterator(TEXTS * 3, trainers.BpeTrainer(vocab_size=180, show_progress=False))
    learnt = json.loads(learner.to_str())["model"]
    pieces = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *learnt["vocab"]]
    model = models.BPE(
        vocab={piece: number for number, piece in enumerate(pieces)},
        merges=[tuple(pair) for pair in learnt["merges"]],
        unk_token="<unk>",
        byte_fallback=True,
        fuse_unk=True,
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(SPECIAL)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>", unk_token="<unk>"
    ).save_pretrained(folder)

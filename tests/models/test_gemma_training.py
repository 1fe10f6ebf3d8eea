from __future__ import annotations

import random
from pathlib import Path

import gguf
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

from llm_labeler.finetune.rows import Example
from llm_labeler.gemma import train
from llm_labeler.gemma.adapter_gguf import write_adapter
from llm_labeler.gemma.train import answer_loss, batches, learning_rate

CONFIG = Gemma3TextConfig(
    vocab_size=400, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
    num_key_value_heads=1, head_dim=16, max_position_embeddings=128, sliding_window=16,
)  # fmt: skip
BATCH = [Example([2, 7, 9, 11, 13, 17], 3), Example([2, 8, 9, 12, 14], 2)]


@pytest.fixture
def model() -> torch.nn.Module:
    torch.manual_seed(1)
    lora = LoraConfig(r=4, lora_alpha=4, target_modules="all-linear", task_type="CAUSAL_LM")
    return get_peft_model(Gemma3ForCausalLM(CONFIG), lora)


def full_loss(model: torch.nn.Module) -> float:
    """The loss over the whole vocabulary, row by row without padding."""
    lost = []
    for row in BATCH:
        logits = model(input_ids=torch.tensor([row.ids])).logits[0, row.n_prompt - 1 : -1]
        lost.append(torch.nn.functional.cross_entropy(logits, torch.tensor(row.ids[row.n_prompt :]), reduction="none"))
    return torch.cat(lost).mean().item()


def test_the_sampled_loss_is_that_of_the_whole_vocabulary(
    model: torch.nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "N_SAMPLED", 4000)
    model.eval()
    assert float(answer_loss(model, BATCH, torch.Generator().manual_seed(1))) == pytest.approx(
        full_loss(model), abs=0.02
    )


def test_training_lowers_the_loss(model: torch.nn.Module) -> None:
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.02)
    generator = torch.Generator().manual_seed(1)
    before = full_loss(model)
    for _ in range(40):
        answer_loss(model, BATCH, generator).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert full_loss(model) < 0.9 * before


def test_batches_hold_every_row_once_and_stay_within_their_size() -> None:
    chance = random.Random(3)
    rows = [Example([2] * chance.randint(20, 300), 10) for _ in range(900)]
    found = list(batches(rows, random.Random(1)))
    assert sorted(map(id, rows)) == sorted(id(row) for batch in found for row in batch)
    assert all(len(batch) * max(len(row.ids) for row in batch) <= train.BATCH_TOKENS for batch in found)


def test_the_learning_rate_goes_up_stays_and_goes_down() -> None:
    assert [round(learning_rate(progress), 2) for progress in (0.0, 0.015, 0.3, 0.8, 1.0)] == [0.0, 0.5, 1.0, 0.5, 0.02]


def test_an_adapter_is_the_same_for_llama_cpp(model: torch.nn.Module, tmp_path: Path) -> None:
    for name, value in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value, generator=torch.Generator().manual_seed(len(name)))
    train.save(model, tmp_path)
    assert write_adapter(tmp_path, tmp_path / "adapter.gguf") == 2 * 7 * 2
    written = load_file(tmp_path / "adapter_model.safetensors")
    read = {tensor.name: tensor for tensor in gguf.GGUFReader(tmp_path / "adapter.gguf").tensors}
    ours = written["base_model.model.model.layers.1.mlp.down_proj.lora_B.weight"]
    theirs = torch.tensor(read["blk.1.ffn_down.weight.lora_b"].data)
    assert torch.allclose(ours.float(), theirs.float(), atol=1e-3)


def test_a_tensor_without_a_place_is_refused(model: torch.nn.Module, tmp_path: Path) -> None:
    train.save(model, tmp_path)
    save_file({"base_model.model.lm_head.lora_A.weight": torch.zeros(2, 2)}, tmp_path / "adapter_model.safetensors")
    with pytest.raises(ValueError, match="has no place"):
        write_adapter(tmp_path, tmp_path / "adapter.gguf")

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from llm_labeler import fetch, gemma
from llm_labeler.backends import BackendError, digests, load_backend, weights
from llm_labeler.backends.weights import Weights, chosen_device, chosen_dtype, device_name, load_weights

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def loaded(model: Path | str | None, **options: Any) -> Weights:
    given = dict.fromkeys(("revision", "adapter", "dtype", "quantization")) | {"device": "cpu"} | options
    return load_weights(model=str(model) if model else None, **given)


@pytest.fixture(scope="module")
def adapter(tiny_gemma: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapter")
    config = LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    torch.manual_seed(1)
    get_peft_model(AutoModelForCausalLM.from_pretrained(tiny_gemma), config).save_pretrained(folder)
    return folder


def copied(folder: Path, place: Path) -> Path:
    return Path(shutil.copytree(folder, place))


def test_a_folder_is_named_by_the_digest_of_its_files(tiny_gemma: Path, tmp_path: Path) -> None:
    first = loaded(tiny_gemma)
    assert (first.model_id, len(first.revision)) == (tiny_gemma.name, 64)
    assert loaded(copied(tiny_gemma, tmp_path / "same")).revision == first.revision
    other = copied(tiny_gemma, tmp_path / "other")
    tensors = load_file(other / "model.safetensors")
    tensors["model.norm.weight"] += 1
    save_file(tensors, other / "model.safetensors", {"format": "pt"})
    assert loaded(other).revision != first.revision


def test_all_that_a_fetch_brings_is_part_of_a_models_name(tmp_path: Path) -> None:
    assert digests.MODEL_FILES == fetch.PATTERNS
    names = ["config.json", "generation_config.json", "tokenizer_config.json", "chat_template.jinja"]
    names += ["model.safetensors", "tokenizer.model", "tokenizer.json"]
    for name in names:
        (tmp_path / name).write_text("{}")
    seen = {digests.model_digest(tmp_path)}
    for name in names:
        (tmp_path / name).write_text("{ }")
        seen.add(digests.model_digest(tmp_path))
    assert len(seen) == len(names) + 1
    (tmp_path / "README.md").write_text("no part of it")
    assert digests.model_digest(tmp_path) in seen


def test_a_model_of_the_hub_is_named_by_its_commit(
    tiny_gemma: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--google--medgemma-1.5-4b-it"
    copied(tiny_gemma, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    found = loaded("google/medgemma-1.5-4b-it")
    assert (found.model_id, found.revision) == ("google/medgemma-1.5-4b-it", COMMIT)
    assert loaded("google/medgemma-1.5-4b-it", revision=COMMIT).revision == COMMIT
    with pytest.raises(BackendError, match=r"no such revision: run python -m llm_labeler.fetch .* --revision abc"):
        loaded("google/medgemma-1.5-4b-it", revision="abc")


def test_an_adapter_changes_what_the_model_says_as_its_own_library_has_it(tiny_gemma: Path, adapter: Path) -> None:
    ids = torch.arange(20, 40)[None]
    base = AutoModelForCausalLM.from_pretrained(tiny_gemma)
    plain = base(ids).logits
    wanted = PeftModel.from_pretrained(base, adapter)(ids).logits
    for dtype, closeness in (("float32", 1e-4), ("bfloat16", 0.2)):
        found = loaded(tiny_gemma, adapter=str(adapter), dtype=dtype)
        got = found.model(ids).logits.float()
        assert (got - wanted).abs().mean() < closeness < (got - plain).abs().mean()
        assert found.revision.startswith(loaded(tiny_gemma).revision[:40] + "+")
        assert len(found.revision) <= 64


def test_the_small_model_is_asked_for_by_name_and_fetched_by_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARGINALIA_CACHE", str(tmp_path))
    with pytest.raises(BackendError, match=r"run python -m llm_labeler\.fetch gemma"):
        loaded(gemma.BASE_ID)
    gemma.base_path().write_bytes(b"not the model")
    with pytest.raises(BackendError, match=r"run python -m llm_labeler\.fetch gemma"):
        loaded(gemma.BASE_ID)


def test_a_converted_file_is_kept_under_its_digest(
    tiny_gemma: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARGINALIA_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "small.gguf"
    path.write_bytes(b"GGUF")
    digest = "b95ac3b1a7ac7dcb9f64cbf5bd3ab4a2cdecb0a3d33d8d08b9ef0d3a7d0d3e2e"
    monkeypatch.setattr(weights, "file_digest", lambda path: digest)
    copied(tiny_gemma, tmp_path / "cache" / f"gguf-{digest[:32]}")
    found = loaded(path)
    assert (found.model_id, found.revision) == ("small", digest)


def refusal(model: Path | str | None, **options: Any) -> str:
    with pytest.raises(BackendError) as refused:
        loaded(model, **options)
    return str(refused.value)


def test_what_is_no_model_is_refused_with_what_is_wanted(tiny_gemma: Path, adapter: Path, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"x")
    (tmp_path / "broken.gguf").write_bytes(b"x")
    bare, torn, lacking = tmp_path / "bare", tmp_path / "torn", tmp_path / "lacking"
    bare.mkdir()
    copied(tiny_gemma, torn)
    (torn / "model.safetensors").write_bytes(b"x")
    copied(tiny_gemma, lacking)
    tensors = load_file(lacking / "model.safetensors")
    del tensors["model.layers.0.mlp.up_proj.weight"]
    save_file(tensors, lacking / "model.safetensors", {"format": "pt"})
    assert "a folder or a GGUF file is wanted" in refusal(tmp_path / "model.bin")
    assert "cannot be read as a model" in refusal(tmp_path / "broken.gguf")
    assert "a folder with config.json and safetensors is wanted" in refusal(bare)
    assert "cannot be loaded (SafetensorError)" in refusal(torn)
    assert "do not make up its model" in refusal(lacking)
    assert "is an adapter: name it as adapter" in refusal(adapter)
    assert "neither a folder nor a file nor an id" in refusal("no such model")


def test_a_model_that_was_not_fetched_is_named_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    said = refusal("google/medgemma-4b-it")
    assert "run python -m llm_labeler.fetch google/medgemma-4b-it (accept its terms at https" in said


def test_an_adapter_that_does_not_fit_is_refused(tiny_gemma: Path, adapter: Path, tmp_path: Path) -> None:
    wider, renamed, empty = tmp_path / "wider", tmp_path / "renamed", tmp_path / "empty"
    empty.mkdir()
    tensors = load_file(adapter / "adapter_model.safetensors")
    copied(adapter, wider)
    save_file({name: value.repeat(2, 2) for name, value in tensors.items()}, wider / "adapter_model.safetensors")
    copied(adapter, renamed)
    save_file(
        {name.replace("layers.0", "layers.9"): value for name, value in tensors.items()},
        renamed / "adapter_model.safetensors",
    )
    for folder in (wider, renamed):
        assert "does not fit the model" in refusal(tiny_gemma, adapter=str(folder))
    assert "has no adapter_config.json" in refusal(tiny_gemma, adapter=str(empty))


def test_options_that_cannot_be_are_refused_with_what_can(tiny_gemma: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "bfloat16 or float32 is wanted" in refusal(tiny_gemma, dtype="float16")
    assert "cuda, cuda:1, mps or cpu is wanted" in refusal(tiny_gemma, device="abacus")
    assert "torch sees" in refusal(tiny_gemma, device="cuda:99")
    assert "'4bit' or none is wanted" in refusal(tiny_gemma, quantization="8bit")
    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    assert "pip install bitsandbytes" in refusal(tiny_gemma, quantization="4bit")
    with pytest.raises(BackendError, match="has no option temperature"):
        load_backend("transformers", temperature=1)
    with pytest.raises(BackendError, match="batch_size is 0: at least 1 is wanted"):
        load_backend("transformers", batch_size=0)


def test_a_model_that_does_not_fit_in_memory_says_what_does(tiny_gemma: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*args: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(weights, "_loaded", exhausted)
    assert "does not fit in memory: use a smaller model" in refusal(tiny_gemma)


def test_a_cpu_computes_in_bfloat16_only_where_it_does_so_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = chosen_device("cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": False})
    assert chosen_dtype(cpu, None) is torch.float32
    assert chosen_dtype(cpu, "bfloat16") is torch.bfloat16
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": True})
    assert chosen_dtype(cpu, None) is torch.bfloat16


def test_a_device_is_told_by_its_maker_s_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"NVIDIA card {device.index}")
    names = [device_name(torch.device(each)) for each in ("cpu", "mps", "cuda:1")]
    assert names == ["CPU", "Apple GPU", "NVIDIA card 1"]

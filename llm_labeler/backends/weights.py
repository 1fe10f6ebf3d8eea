"""Models on disk for torch: found, named exactly and loaded. Nothing is downloaded here."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError
from peft import PeftConfig, PeftModel
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoTokenizer,
    BitsAndBytesConfig,
    GgufConfig,
)
from transformers.utils import logging

from llm_labeler import gemma
from llm_labeler.backends import BackendError
from llm_labeler.backends.digests import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    adapter_digest,
    file_digest,
    model_digest,
    revision_with,
)

FOUR_BIT = "4bit"
_DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}
_LOAD_FAULTS = (OSError, ValueError, KeyError, RuntimeError, MemoryError, SafetensorError)


@dataclass(frozen=True, slots=True)
class Weights:
    """A model with its tokenizer, and what they are."""

    model: Any
    tokenizer: Any
    model_id: str
    revision: str


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder with a model, and what it is."""

    folder: Path
    model_id: str
    revision: str


def load_weights(
    *,
    model: str | None,
    revision: str | None,
    adapter: str | None,
    device: str | None,
    dtype: str | None,
    quantization: str | None,
) -> Weights:
    """The model, ready to read. None stands for the small model with our adapter. Raises BackendError."""
    if model in (None, gemma.MODEL_ID):
        model, adapter = gemma.BASE_ID, adapter or str(gemma.ADAPTER)
    adapter_folder = adapter_folder_of(adapter) if adapter else None
    base = load_base(model=str(model), revision=revision, device=device, dtype=dtype, quantization=quantization)
    try:
        loaded = _with_adapter(base.model, adapter_folder) if adapter_folder else base.model
    except BackendError:
        raise
    except _LOAD_FAULTS as error:
        raise BackendError(_load_fault(error, base.model_id)) from None
    is_ours = adapter_folder == gemma.ADAPTER and base.model_id == gemma.BASE_ID
    return Weights(
        model=loaded.eval(),
        tokenizer=base.tokenizer,
        model_id=gemma.MODEL_ID if is_ours else base.model_id,
        revision=revision_with(base.revision, adapter_digest(adapter_folder) if adapter_folder else None),
    )


def load_base(
    *, model: str, revision: str | None, device: str | None, dtype: str | None, quantization: str | None
) -> Weights:
    """A model as it lies on disk, without an adapter. Raises BackendError."""
    torch_device = chosen_device(device)
    torch_dtype = chosen_dtype(torch_device, dtype)
    if quantization not in (None, FOUR_BIT):
        raise BackendError(f"quantization {quantization!r} is not known: {FOUR_BIT!r} or none is wanted")
    if quantization and find_spec("bitsandbytes") is None:
        raise BackendError("quantization '4bit' needs bitsandbytes: install it (pip install bitsandbytes)")
    logging.disable_progress_bar()
    place = _place_of(model, revision)
    try:
        loaded = _loaded(place, torch_device, torch_dtype, quantization)
        tokenizer = AutoTokenizer.from_pretrained(place.folder, local_files_only=True, trust_remote_code=False)
    except BackendError:
        raise
    except _LOAD_FAULTS as error:
        raise BackendError(_load_fault(error, place.model_id)) from None
    return Weights(model=loaded, tokenizer=tokenizer, model_id=place.model_id, revision=place.revision)


def device_name(device: torch.device) -> str:
    """The device in words for people, at most 100 characters: a graphics card by the name that its maker gave it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)[:100]
    return {"cpu": "CPU", "mps": "Apple GPU"}.get(device.type, device.type)


def chosen_device(wanted: str | None) -> torch.device:
    """The device asked for, else the best there is. Raises BackendError for one that is not there."""
    has_mps = torch.backends.mps.is_available()
    if wanted is None:
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise BackendError(f"device {wanted!r} is not known: cuda, cuda:1, mps or cpu is wanted") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise BackendError(
            f"device {wanted!r} is not there: torch sees {torch.cuda.device_count()} NVIDIA GPUs. "
            "Check the driver and that torch is a CUDA build, or use device 'cpu'"
        )
    if device.type == "mps" and not has_mps:
        raise BackendError("device 'mps' is not there: it needs a Mac with Apple silicon; use device 'cpu'")
    return device


def chosen_dtype(device: torch.device, wanted: str | None) -> torch.dtype:
    """The type asked for, else bfloat16 where the device computes in it and float32 where it would emulate it.

    Raises BackendError for any other: Gemma 3 gives garbage in float16.
    """
    if wanted is not None:
        if wanted not in _DTYPES:
            raise BackendError(f"dtype {wanted!r} cannot be used: bfloat16 or float32 is wanted")
        return _DTYPES[wanted]
    if device.type == "cuda":
        is_native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "mps":
        is_native = torch.backends.mps.is_macos_or_newer(14, 0)
    else:
        able = torch.cpu.get_capabilities()
        is_native = any(able.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return torch.bfloat16 if is_native else torch.float32


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory did not suffice. Torch has a class for it on CUDA only."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        words in said for words in ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate")
    )


def _place_of(model: str, revision: str | None) -> _Place:
    if model == gemma.BASE_ID:
        path = gemma.base_path()
        if not path.is_file() or file_digest(path) != gemma.BASE_SHA256:
            raise BackendError(f"{gemma.BASE_ID} is not in {path.parent}: run python -m llm_labeler.fetch gemma")
        return _Place(converted(path, gemma.BASE_SHA256), model, gemma.BASE_SHA256)
    path = Path(model).expanduser()
    if path.is_file():
        if path.suffix != ".gguf":
            raise BackendError(f"model {model!r} is a file: a folder or a GGUF file is wanted")
        digest = file_digest(path)
        return _Place(converted(path, digest), path.stem, digest)
    if path.is_dir():
        if (path / ADAPTER_CONFIG).is_file() and not (path / "config.json").is_file():
            raise BackendError(f"model {model!r} is an adapter: name it as adapter, and its base as model")
        if not _is_whole(path):
            raise BackendError(f"model {model!r} is not whole: a folder with config.json and safetensors is wanted")
        return _Place(path, path.resolve().name, model_digest(path))
    return _cached(model, revision)


def _cached(model: str, revision: str | None) -> _Place:
    """A model of the hub that was fetched before; its snapshot folder is named by the commit."""
    fetch = f"python -m llm_labeler.fetch {model}" + (f" --revision {revision}" if revision else "")
    try:
        folder = Path(snapshot_download(model, revision=revision, local_files_only=True))
    except HFValidationError:
        raise BackendError(f"model {model!r} is neither a folder nor a file nor an id of the form owner/name") from None
    except OSError:
        terms = f" (accept its terms at https://huggingface.co/{model} first)" if model.startswith("google/") else ""
        raise BackendError(
            f"model {model!r} is not on this machine, or has no such revision: run {fetch}{terms}"
        ) from None
    if not _is_whole(folder):
        raise BackendError(f"model {model!r} is not whole on this machine: run {fetch}")
    return _Place(folder, model, folder.name)


def _is_whole(folder: Path) -> bool:
    return (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))


def converted_folder(digest: str) -> Path:
    """Where the safetensors of a GGUF file of that sha256 lie, or will."""
    return gemma.cache_folder() / f"gguf-{digest[:32]}"


def converted(path: Path, digest: str) -> Path:
    """The folder of a GGUF file's weights as bfloat16 safetensors, made once, in a minute. Raises BackendError."""
    folder = converted_folder(digest)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        model = AutoModelForCausalLM.from_pretrained(
            path.parent,
            gguf_file=path.name,
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.bfloat16,
            local_files_only=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name, local_files_only=True)
        model.save_pretrained(made)
        tokenizer.save_pretrained(made)
        os.replace(made, folder)
    except OSError as error:
        if not folder.is_dir():  # else another process was first
            raise BackendError(
                f"{path.name} cannot be converted in {folder.parent}: {error.strerror or error}"
            ) from None
    except _LOAD_FAULTS as error:
        raise BackendError(f"{path.name} cannot be read as a model ({type(error).__name__})") from None
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder


def _loaded(place: _Place, device: torch.device, dtype: torch.dtype, quantization: str | None) -> Any:
    config = AutoConfig.from_pretrained(place.folder, local_files_only=True, trust_remote_code=False)
    loader: Any = AutoModelForImageTextToText if hasattr(config, "vision_config") else AutoModelForCausalLM
    four_bit = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    model, told = loader.from_pretrained(
        place.folder,
        dtype=dtype,
        device_map={"": device},
        attn_implementation="sdpa",
        quantization_config=four_bit if quantization else None,
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    if told["missing_keys"] or told["mismatched_keys"]:
        raise BackendError(f"the weights of {place.model_id!r} do not make up its model: fetch it again")
    return model


def adapter_folder_of(adapter: str) -> Path:
    """The folder, where it holds an adapter. Raises BackendError."""
    folder = Path(adapter).expanduser()
    for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
        if not (folder / name).is_file():
            raise BackendError(f"adapter {adapter!r} has no {name}: a folder with a LoRA adapter is wanted")
    return folder


def _with_adapter(model: Any, folder: Path) -> Any:
    """`model` with the adapter in it: added to the weights in float32, where nothing is lost, else beside them."""
    misfit = BackendError(f"adapter {folder.name!r} does not fit the model: it was trained on another base")
    try:
        adapted = PeftModel(model, PeftConfig.from_pretrained(str(folder)), autocast_adapter_dtype=False)
        told = adapted.load_adapter(str(folder), "default", torch_device=str(model.device))
    except (ValueError, RuntimeError, KeyError, TypeError):
        raise misfit from None
    if told.missing_keys or told.unexpected_keys:
        raise misfit
    return adapted.merge_and_unload() if model.dtype == torch.float32 else adapted.get_base_model()


def _load_fault(error: Exception, model_id: str) -> str:
    if is_out_of_memory(error):
        return (
            f"{model_id} does not fit in memory: use a smaller model, dtype 'bfloat16', "
            "or quantization '4bit' with bitsandbytes"
        )
    return f"{model_id} cannot be loaded ({type(error).__name__}): is it a causal language model with its tokenizer?"

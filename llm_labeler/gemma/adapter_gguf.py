"""A PEFT adapter of a Gemma 3 text model as llama.cpp reads it.

python -m llm_labeler.gemma.adapter_gguf llm_labeler/gemma/adapter
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import gguf
import torch
from safetensors import safe_open

_NAME = re.compile(r"base_model\.model\.model\.layers\.(\d+)\.(?:self_attn|mlp)\.(\w+)_proj\.lora_([AB])\.weight")
_MODULES = {
    "q": "attn_q",
    "k": "attn_k",
    "v": "attn_v",
    "o": "attn_output",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
}


def write_adapter(folder: Path, target: Path) -> int:
    """Write the adapter of `folder` as float16 to `target`; the number of tensors. Raises ValueError on others."""
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    writer = gguf.GGUFWriter(target, "gemma3")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(config["lora_alpha"]))
    n_tensors = 0
    with safe_open(folder / "adapter_model.safetensors", framework="pt") as tensors:
        for name in sorted(tensors.keys()):
            match = _NAME.fullmatch(name)
            if match is None or match[2] not in _MODULES:
                raise ValueError(f"adapter tensor {name!r} has no place in llama.cpp's Gemma 3")
            layer, module, side = match.groups()
            values = tensors.get_tensor(name).to(torch.float16).numpy()
            writer.add_tensor(f"blk.{layer}.{_MODULES[module]}.weight.lora_{side.lower()}", values)
            n_tensors += 1
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return n_tensors


if __name__ == "__main__":
    write_adapter(Path(sys.argv[1]), Path(sys.argv[1]) / "adapter.gguf")

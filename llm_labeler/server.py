"""The small model as an OpenAI-compatible server, by llama.cpp: `python -m llm_labeler.server --socket PATH`.

It shows no prompt to anybody: pages, slots and metrics are off, and once the model is loaded the process says nothing
more, since llama.cpp writes a grammar that it cannot read to standard error, and our grammars hold note text.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_labeler import gemma
from llm_labeler.backends.digests import adapter_digest, file_digest, revision_with

HOST = "127.0.0.1"
CONTEXT_TOKENS = 12_288  # of one slot: the longest guideline, eight examples, a window and its answer
MOST_THREADS = 256


class CannotServe(ValueError):
    """The server cannot be started; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Options:
    """Where the server listens (a socket's path, or a port of this machine), what it serves, and under which names."""

    model: Path
    adapter: Path | None
    aliases: tuple[str, ...]
    socket: Path | None = None
    port: int = 0
    api_key: str = ""
    n_threads: int = 1
    n_slots: int = 1


def default_threads() -> int:
    """LABELER_THREADS; else 1 on two cores, which web server and workers need too, and half of more.

    Raises CannotServe.
    """
    n_cores = os.cpu_count() or 1
    given = os.environ.get("LABELER_THREADS") or str(1 if n_cores <= 2 else n_cores // 2)
    if not given.isascii() or not given.isdigit() or not 1 <= int(given) <= MOST_THREADS:
        raise CannotServe(f"LABELER_THREADS must be a number from 1 to {MOST_THREADS}, not {given!r}")
    return int(given)


def start_server(options: Options) -> Any:
    """llama.cpp's server, which answers once this returns and ends with the object. Raises CannotServe."""
    try:
        import xllamacpp
    except ImportError as error:
        raise CannotServe("xllamacpp is not installed: install requirements.lock, or use LABELER=spacy") from error
    if not options.model.is_file():
        raise CannotServe(f"{options.model} is missing: fetch it with python -m llm_labeler.fetch gemma")
    params = xllamacpp.CommonParams()
    params.model.path = str(options.model)
    if options.adapter is not None:
        if not options.adapter.is_file():
            raise CannotServe(f"the adapter {options.adapter} is missing: this copy of Marginalia is not complete")
        adapter = xllamacpp.CommonAdapterLoraInfo()
        adapter.path, adapter.scale = str(options.adapter), 1.0
        params.lora_adapters = [adapter]
    params.model_alias = set(options.aliases)
    params.chat_template = gemma.CHAT_TEMPLATE
    if options.socket is not None:
        options.socket.unlink(missing_ok=True)  # of a server that was killed: nobody can listen there again
    params.hostnames = [str(options.socket or HOST)]
    params.port = options.port
    params.api_keys = [options.api_key] if options.api_key else []
    params.cors_origins = f"http://{HOST}"
    for processor in (params.cpuparams, params.cpuparams_batch):
        processor.n_threads, processor.poll = options.n_threads, 0  # it would spin while it waits for its other threads
    params.n_parallel = options.n_slots
    params.n_ctx = CONTEXT_TOKENS * options.n_slots
    params.swa_full = True  # the layers with a sliding window too keep the beginning that all prompts share
    params.cache_ram_mib = 0
    params.n_ctx_checkpoints = 0
    params.ui = params.endpoint_slots = params.endpoint_metrics = params.endpoint_props = False
    params.verbosity = -1
    try:
        return xllamacpp.Server(params)
    except Exception as error:
        raise CannotServe(f"llama.cpp cannot load {options.model} ({type(error).__name__}): fetch it again") from error


@contextlib.contextmanager
def running(
    *, model: Path | None = None, adapter: Path | None = gemma.ADAPTER_GGUF, n_threads: int | None = None
) -> Iterator[str]:
    """A server of its own process for the time of the block; its address, for the `openai` backend's `url`.

    It ends with the block, and with this process however that ends. Raises CannotServe where it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="marginalia-model-") as folder:
        socket = Path(folder) / "model.sock"
        argv = [sys.executable, "-m", "llm_labeler.server", "--socket", str(socket), "--while-stdin"]
        argv += ["--model", str(model or gemma.base_path())]
        argv += ["--lora", str(adapter)] if adapter else ["--no-lora"]
        argv += ["--threads", str(n_threads or default_threads())]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            if process.stdout is None or process.stderr is None or not process.stdout.readline():
                said = process.stderr.read().decode(errors="replace").strip() if process.stderr else ""
                raise CannotServe(said or "the model's server ended before it answered")
            yield f"unix://{socket}"
        finally:
            process.terminate()
            process.communicate()


def main(arguments: Sequence[str]) -> int:
    os.umask(0o077)
    is_stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: is_stopping.set())
    parsed = _parser().parse_args(arguments)
    try:
        server = start_server(_options(parsed))
    except CannotServe as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    if parsed.while_stdin:
        print(f"llama.cpp answers at {server.listening_address}", flush=True)  # noqa: T201
    _fall_silent()
    if parsed.while_stdin:
        threading.Thread(target=_stop_with_stdin, args=(is_stopping,), daemon=True).start()
    is_stopping.wait()
    os._exit(0)  # requests under way are for workers that end as well, or ask again


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m llm_labeler.server", description=__doc__)
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--socket", type=Path, help="listen on this socket of the file system")
    place.add_argument("--port", type=int, help=f"listen on this port of {HOST}, with --api-key-file")
    parser.add_argument("--api-key-file", type=Path, help="file with the key that a client must show")
    parser.add_argument("--model", type=Path, default=gemma.base_path(), help="GGUF file (default: %(default)s)")
    adapter = parser.add_mutually_exclusive_group()
    adapter.add_argument("--lora", type=Path, default=gemma.ADAPTER_GGUF, help="its adapter (default: ours)")
    adapter.add_argument("--no-lora", action="store_true", help="serve the base model alone")
    parser.add_argument("--threads", type=int, help="default: LABELER_THREADS, else what the machine can spare")
    parser.add_argument("--slots", type=int, default=1, help="requests that are answered at the same time")
    parser.add_argument("--while-stdin", action="store_true", help="say when it answers; end with standard input")
    return parser


def _options(given: argparse.Namespace) -> Options:
    """Raises CannotServe."""
    if given.socket is not None and given.socket.suffix != ".sock":
        raise CannotServe(f"{given.socket} must end with .sock, or llama.cpp takes it for a host")
    if given.port is not None and given.api_key_file is None:
        raise CannotServe("--port needs --api-key-file: every user of this machine can reach a port")
    try:
        api_key = given.api_key_file.read_text().strip() if given.api_key_file else ""
    except OSError as error:
        raise CannotServe(f"{given.api_key_file} cannot be read: {error.strerror}") from error
    if given.api_key_file and not api_key:
        raise CannotServe(f"{given.api_key_file} is empty")
    return Options(
        model=given.model,
        adapter=None if given.no_lora else given.lora,
        aliases=_aliases(given),
        socket=given.socket,
        port=given.port or 0,
        api_key=api_key,
        n_threads=given.threads or default_threads(),
        n_slots=given.slots,
    )


def _aliases(given: argparse.Namespace) -> tuple[str, ...]:
    """The model's id; of the one that Labelers name, also the id with its revision, so that no other passes for it."""
    if given.no_lora:
        return (gemma.BASE_ID,)
    if given.lora != gemma.ADAPTER_GGUF or not (given.lora.is_file() and given.model.is_file()):
        return (gemma.MODEL_ID,)
    revision = revision_with(file_digest(given.model), adapter_digest(gemma.ADAPTER))
    return (gemma.MODEL_ID, f"{gemma.MODEL_ID}@{revision}")


def _stop_with_stdin(is_stopping: threading.Event) -> None:
    sys.stdin.buffer.read()
    is_stopping.set()


def _fall_silent() -> None:
    """From here on, whatever the process writes goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

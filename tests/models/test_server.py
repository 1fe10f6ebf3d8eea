from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from annotator.core.prompting import COMPACT, answer_schema, render_messages
from annotator.demo.services import demo_documents, demo_schema
from llm_labeler import gemma, server
from llm_labeler.backends import Constraint, Request, openai

WORDS = "Known asthma.\nNo chest pain 😀, takes Zorbinal-9 (“blue”)."
SCHEMA = demo_schema()
QUOTE = re.compile(r'"text":"((?:[^"\\\\]|\\\\.)+)"')


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "llm_labeler.server", *arguments]
    return subprocess.run(argv, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_missing_model_is_one_line_that_says_how_to_fetch_it(tmp_path: Path):
    done = run("--socket", str(tmp_path / "m.sock"), "--model", str(tmp_path / "none.gguf"))
    assert done.returncode == 1
    assert "fetch it with python -m llm_labeler.fetch gemma" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_missing_adapter_is_an_error(tmp_path: Path):
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    done = run(
        "--socket", str(tmp_path / "m.sock"), "--model", str(tmp_path / "model.gguf"), "--lora", str(tmp_path / "no")
    )
    assert (done.returncode, "is missing" in done.stderr) == (1, True)


def test_a_socket_that_llama_cpp_would_take_for_a_host_is_refused(tmp_path: Path):
    assert "must end with .sock" in run("--socket", str(tmp_path / "model")).stderr


def test_a_port_that_everybody_could_reach_needs_a_key(tmp_path: Path):
    assert "--port needs --api-key-file" in run("--port", "1").stderr
    (tmp_path / "key").write_text("\n")
    assert "is empty" in run("--port", "1", "--api-key-file", str(tmp_path / "key")).stderr


def test_a_file_that_is_no_model_is_one_line(tmp_path: Path):
    (tmp_path / "model.gguf").write_bytes(b"no model")
    done = run("--socket", str(tmp_path / "m.sock"), "--model", str(tmp_path / "model.gguf"), "--no-lora")
    assert (done.returncode, "cannot load" in done.stderr) == (1, True)


@pytest.mark.parametrize("given", ["0", "257", "two", "-1"])
def test_a_wrong_number_of_threads_is_refused(given: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LABELER_THREADS", given)
    with pytest.raises(server.CannotServe, match="LABELER_THREADS must be a number from 1"):
        server.default_threads()


def test_two_cores_leave_one_for_the_rest(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("LABELER_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert server.default_threads() == 1
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    assert server.default_threads() == 8


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A real server of the base model."""
    with server.running(adapter=None, n_threads=1) as url:
        yield url


@pytest.fixture
def http(url: str) -> Iterator[httpx2.Client]:
    transport = httpx2.HTTPTransport(uds=url.removeprefix("unix://"))
    with httpx2.Client(transport=transport, base_url="http://model", timeout=300) as client:
        yield client


def request(text: str = WORDS, **changes: object) -> Request:
    messages = render_messages(SCHEMA, text, template=COMPACT)
    given = {"messages": messages, "schema": answer_schema(SCHEMA), "max_tokens": 32, "n_top": 3}
    return Request(**(given | changes))


@pytest.mark.gemma
def test_a_real_server_gives_tokens_that_join_to_the_text(url: str):
    backend = openai.load(url=url, model=gemma.BASE_ID)
    assert backend.group_size > 0
    assert backend.device == "Model server"
    for constraint in Constraint:
        ((answer,),) = backend.generate([request(constraint=constraint)])
        assert answer.tokens
        assert "".join(token.text for token in answer.tokens) == answer.text
        assert all(token.logprob <= 0 and len(token.top) == 3 for token in answer.tokens)
        assert not answer.is_masked


@pytest.mark.gemma
def test_a_real_server_holds_an_answer_to_the_schema_and_to_the_note(url: str):
    backend = openai.load(url=url, model=gemma.BASE_ID, concurrency=1)
    ((free,), (formed,), (copied,)) = backend.generate([request(constraint=held) for held in Constraint])
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(free.text)
    assert formed.text.startswith("[")
    assert copied.text.startswith("[")
    assert all(piece in WORDS for piece in QUOTE.findall(copied.text))


@pytest.mark.gemma
def test_the_log_probabilities_are_the_models_own_and_not_those_after_the_grammar(url: str):
    """An answer of one possible form would have nothing but zeros."""
    ((answer,),) = openai.load(url=url, model=gemma.BASE_ID).generate([request("...", constraint=Constraint.COPY)])
    assert answer.text.startswith("[")
    assert answer.tokens[0].logprob < -1
    assert answer.tokens[0].top[0][0] != answer.tokens[0].text


@pytest.mark.gemma
def test_samples_are_drawn_by_their_seed(url: str):
    backend = openai.load(url=url, model=gemma.BASE_ID)
    wanted = request(constraint=Constraint.NONE, temperature=1.0, n=2, seed=3, n_top=0)
    (first, second), (again, _) = backend.generate([wanted, wanted])
    assert first.text == again.text != second.text


@pytest.mark.gemma
def test_it_tells_nothing_of_what_it_reads(http: httpx2.Client):
    for path in ("/slots", "/metrics", "/"):
        assert http.get(path).status_code in (404, 501)
    http.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": WORDS}], "max_tokens": 1})
    assert "Zorbinal" not in http.get("/props").text


@pytest.mark.gemma
def test_both_runtimes_read_the_same_tokens(http: httpx2.Client):
    """With one token of beginning, which llama.cpp and the template must not both write."""
    from llm_labeler.backends import load_backend

    torch_backend = load_backend("transformers", model=gemma.BASE_ID)
    for text in (WORDS, *(document.text[:300] for document in demo_documents()[:5])):
        wanted = request(text)
        prompt = http.post("/apply-template", json={"messages": wanted.messages}).json()["prompt"]
        given = {"content": prompt, "add_special": True, "parse_special": True}
        ids = http.post("/tokenize", json=given).json()["tokens"]
        assert ids.count(2) == 1
        assert ids == torch_backend.prompt_tokens(wanted)


@pytest.mark.gemma
def test_it_ends_when_told_to_and_writes_nothing_of_a_note(tmp_path: Path):
    socket, log = tmp_path / "m.sock", tmp_path / "log"
    argv = [sys.executable, "-m", "llm_labeler.server", "--socket", str(socket), "--no-lora", "--threads", "1"]
    with log.open("w") as stream:
        process = subprocess.Popen([*argv, "--while-stdin"], stdin=subprocess.PIPE, stdout=stream, stderr=stream)
    try:
        deadline = time.monotonic() + 60
        while "answers" not in log.read_text():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        assert socket.stat().st_mode & 0o077 == 0
        with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(socket)), base_url="http://model") as client:
            body = {"messages": [{"role": "user", "content": WORDS}], "grammar": 'root ::= "Zorbinal-9" nowhere'}
            assert client.post("/v1/chat/completions", json=body).status_code == 400
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.wait()
    assert log.read_text().count("\n") == 1
    assert "Zorbinal" not in log.read_text()


@pytest.mark.gemma
def test_a_server_of_a_command_ends_with_it():
    script = (
        "from llm_labeler import server\nimport os\n"
        "with server.running(adapter=None, n_threads=1) as url:\n print(url, flush=True)\n os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    socket = done.stdout.strip().removeprefix("unix://")
    deadline = time.monotonic() + 20
    while _answers(socket):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _answers(socket: str) -> bool:
    try:
        with httpx2.Client(transport=httpx2.HTTPTransport(uds=socket), base_url="http://model") as client:
            return client.get("/health").status_code == 200
    except httpx2.TransportError:
        return False

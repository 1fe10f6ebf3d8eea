"""The `openai` backend: any server that speaks OpenAI's chat completions, such as vLLM, llama.cpp, SGLang or Ollama.

Requests go out side by side, as many as the server is good for. Notes reach nobody else: no proxy and no redirect is
followed, and what a server says of an error is never shown, since it may repeat the prompt.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar

import httpx2

from annotator.core.prompting import note_of
from annotator.core.servers import ServerAddress, ServerError, server_address
from llm_labeler.backends import TOP_K, TOP_P, Answer, BackendAway, BackendError, Constraint, Request, streams
from llm_labeler.backends.completions import AnswerError, read_answer
from llm_labeler.chat import safe_messages
from llm_labeler.copying import copy_gbnf, copy_lark

MOST_TRIES = 6  # over 15 seconds: what a server needs to start
FIRST_WAIT_SECONDS = 0.5
CONNECT_SECONDS = 10.0
_TRANSIENT = frozenset((408, 429, 500, 502, 503, 504))
_TOO_LONG = ("exceed_context_size", "context_length_exceeded", "maximum context length", "context size")


T = TypeVar("T")


class Dialect(StrEnum):
    """What a server calls the things that OpenAI's API has no name for."""

    LLAMA_CPP = "llama.cpp"
    VLLM = "vllm"
    OPENAI = "openai"  # any other: nothing but the common ground, so the copy constraint becomes the JSON schema's


# "owned_by" of a server's models, where it tells which dialect it speaks.
_OWNERS = {"llamacpp": Dialect.LLAMA_CPP, "vllm": Dialect.VLLM}


class _NoAnswer(BackendAway):
    """A request that came to nothing: the server is gone, or the request is more than it can do."""


@dataclass(frozen=True, slots=True)
class _Client:
    """How the server is reached: everything but the connection, which each call of `generate` has for itself."""

    address: ServerAddress
    headers: Mapping[str, str]
    timeout_seconds: float
    verify: ssl.SSLContext | bool

    def open(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=httpx2.AsyncHTTPTransport(uds=self.address.socket or None, verify=self.verify, trust_env=False),
            base_url=self.address.url or "http://model",
            headers=dict(self.headers),
            timeout=httpx2.Timeout(self.timeout_seconds, connect=CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
        )


class OpenAIBackend:
    """Answers prompts by a server's model, which is asked for when the backend is made. `dialect`: how it is spoken to.

    Raises BackendError where the server does not offer the model, or speaks another dialect than ours.
    """

    name = "openai"
    device = "Model server"

    def __init__(
        self, *, client: _Client, model: str, model_id: str, revision: str, dialect: Dialect | None, concurrency: int
    ) -> None:
        self.model_id = model_id
        self.revision = revision
        self.group_size = concurrency
        self._client = client
        self._model = model
        self.dialect, own = _result_of(self._agreed(dialect))
        # llama.cpp tells the model's own log-probabilities; the others mask first (tests hold the first to it).
        self._is_masking = own != Dialect.LLAMA_CPP

    @property
    def constraints(self) -> frozenset[Constraint]:
        """What the server can hold an answer to; COPY becomes JSON where it is not among them."""
        return frozenset(Constraint) - ({Constraint.COPY} if self.dialect == Dialect.OPENAI else set())

    def held_to(self, wanted: Constraint) -> Constraint:
        """The constraint that answers have where `wanted` is asked for."""
        return wanted if wanted in self.constraints else Constraint.JSON

    def generate(self, requests: Sequence[Request]) -> list[list[Answer]]:
        """Answer i of a request is one of its own, with `seed + i`.

        Raises BackendAway where the server is gone, and BackendError where it is there and fails at a request.
        """
        return _result_of(self._answers(requests))

    async def _answers(self, requests: Sequence[Request]) -> list[list[Answer]]:
        slots = asyncio.Semaphore(self.group_size)
        async with self._client.open() as http:
            asked = [[self._answer(http, slots, request, i) for i in range(request.n)] for request in requests]
            return list(await asyncio.gather(*(asyncio.gather(*group) for group in asked)))

    async def _answer(self, http: httpx2.AsyncClient, slots: asyncio.Semaphore, request: Request, i: int) -> Answer:
        held_to = self.held_to(request.constraint)
        async with slots:
            try:
                found = await self._completion(http, self._body(request, held_to, request.seed + i), request)
                answer = read_answer(found, n_top=request.n_top)
            except AnswerError as error:
                raise BackendError(f"{self._named()} {error}") from None
        return replace(answer, is_masked=self._is_masking and held_to != Constraint.NONE)

    async def _completion(self, http: httpx2.AsyncClient, body: Mapping[str, Any], request: Request) -> Any:
        try:
            return await self._ask(http, "POST", "v1/chat/completions", body, note_of(request.messages))
        except _NoAnswer as failure:
            if not await self._is_there(http):
                raise
            raise BackendError(
                f"{failure}; it still runs, so a note may be too much for it: use a smaller window"
            ) from None

    async def _is_there(self, http: httpx2.AsyncClient) -> bool:
        """Whether the server still answers anything."""
        try:
            response = await http.get("v1/models", timeout=CONNECT_SECONDS)
        except httpx2.TransportError:
            return False
        return response.status_code == 200

    def _body(self, request: Request, held_to: Constraint, seed: int) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": safe_messages(request.messages),
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_p": TOP_P,
            "seed": seed,
            # An answer that goes in circles is cut off; of servers we know nothing of, none is asked to stream scores.
            "stream": self.dialect != Dialect.OPENAI,
            "logprobs": True,
            "top_logprobs": max(request.n_top, 1),  # llama.cpp takes 0 for none at all
        }
        if self.dialect != Dialect.OPENAI:
            body["top_k"] = TOP_K
        if self.dialect == Dialect.LLAMA_CPP:
            body |= {"cache_prompt": True, "min_p": 0.0}
        if held_to == Constraint.JSON:
            wanted = {"name": "spans", "schema": request.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": wanted}
        elif held_to == Constraint.COPY and self.dialect == Dialect.LLAMA_CPP:
            body["grammar"] = copy_gbnf(request.schema, note_of(request.messages))
        elif held_to == Constraint.COPY:
            body["structured_outputs"] = {"grammar": copy_lark(request.schema, note_of(request.messages))}
        return body

    async def _agreed(self, wanted: Dialect | None) -> tuple[Dialect, Dialect]:
        """The dialect that is wanted, else the server's own; and its own, where it tells that, else the first."""
        async with self._client.open() as http:
            found = await self._ask(http, "GET", "v1/models")
        models = found.get("data") if isinstance(found, dict) else None
        offered = {name: m.get("owned_by") for m in models or [] if isinstance(m, dict) for name in _names(m)}
        if self._model not in offered:
            names = ", ".join(sorted(offered)) or "none"
            raise BackendError(f"{self._named()} has no model {self._model!r}, but {names}: set LABELER_MODEL to one")
        spoken = _OWNERS.get(str(offered[self._model]))
        if wanted is None:
            wanted = spoken or Dialect.OPENAI
        if spoken is not None and wanted not in (spoken, Dialect.OPENAI):
            raise BackendError(f"{self._named()} is {spoken}, not {wanted}: set LABELER_DIALECT={spoken}")
        return wanted, spoken or wanted

    async def _ask(
        self, http: httpx2.AsyncClient, method: str, path: str, body: Mapping[str, Any] | None = None, chunk: str = ""
    ) -> Any:
        """What the server answers, as parsed JSON; asked again where that may help, each time after a longer wait."""
        for n_tries in range(1, MOST_TRIES + 1):
            is_last = n_tries == MOST_TRIES
            try:
                async with http.stream(method, path, json=body) as response:
                    if response.headers.get("Content-Type", "").startswith(streams.TYPE):
                        return await _streamed(response, chunk)
                    await response.aread()
            except httpx2.ReadTimeout:
                seconds = self._client.timeout_seconds
                raise _NoAnswer(f"{self._named()} has not answered within {seconds:.0f} s: see its load") from None
            except httpx2.TransportError as error:
                if is_last:
                    raise BackendAway(self._unreachable(error)) from None
            else:
                if response.status_code not in _TRANSIENT:
                    return self._content(response)
                if is_last:
                    away = _NoAnswer if response.status_code == 500 else BackendAway
                    raise away(f"{self._named()} is overloaded or not ready (HTTP {response.status_code}): see its log")
            await asyncio.sleep(FIRST_WAIT_SECONDS * 2 ** (n_tries - 1))
        raise AssertionError  # the last try returns or raises

    def _content(self, response: httpx2.Response) -> Any:
        """The JSON of an answer. Raises BackendError, without a word of what the server has said."""
        code = response.status_code
        if code == 200:
            try:
                return response.json()
            except ValueError:
                raise BackendError(f"{self._named()} answers something that is not JSON: see LABELER_URL") from None
        if code in (401, 403):
            raise BackendError(f"{self._named()} refuses the key (HTTP {code}): set LABELER_API_KEY")
        if code == 404:
            raise BackendError(f"{self._named()} has no model {self._model!r}, or no chat completions: see LABELER_URL")
        if 300 <= code < 400:
            raise BackendError(f"{self._named()} sends us elsewhere (HTTP {code}): give LABELER_URL its last address")
        if code in (400, 413, 422) and any(sign in response.text for sign in _TOO_LONG):
            raise BackendError(
                f"a prompt and its answer are longer than the context of {self._named()}: "
                "start it with a longer one (vLLM: --max-model-len, llama.cpp: --ctx-size)"
            )
        raise BackendError(
            f"{self._named()} refuses our requests (HTTP {code}): see whether it is {self.dialect}, "
            "and gives log-probabilities and answers in a JSON schema"
        )

    def _unreachable(self, error: httpx2.TransportError) -> str:
        reason = "cannot be reached by TLS" if _is_untrusted(error) else "does not answer"
        remedy = "see its certificate, and SSL_CERT_FILE" if _is_untrusted(error) else "see that it runs"
        return f"{self._named()} {reason} ({type(error).__name__}): {remedy}"

    def _named(self) -> str:
        return f"the model server {self._client.address.name}"


def load(
    *,
    url: str,
    model: str,
    model_id: str | None = None,
    revision: str = "",
    api_key: str = "",
    dialect: str | None = None,
    concurrency: int = 8,
    timeout_seconds: float = 300.0,
    **unknown: Any,
) -> OpenAIBackend:
    """The backend for `model` of the server at `url`, which has been asked whether it is there.

    `url` is `https://…`, `http://` with a loopback host, or `unix:///PATH`. `model_id` is what the model is known as
    (default: `model`); a server does not tell its revision. Without `dialect` it is asked for its own. Raises
    BackendError, and BackendAway where nobody answers.
    """
    if unknown:
        raise BackendError(f"backend 'openai' has no option {', '.join(sorted(unknown))}")
    if dialect is not None and dialect not in list(Dialect):
        raise BackendError(f"the dialect must be one of {', '.join(Dialect)}, not {dialect!r}")
    try:
        address = server_address(url)
    except ServerError as error:
        raise BackendError(str(error)) from None
    client = _Client(
        address=address,
        headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
        timeout_seconds=timeout_seconds,
        # The system's certificates, or those of SSL_CERT_FILE: a hospital's own authority is in there.
        verify=ssl.create_default_context() if address.url.startswith("https") else False,
    )
    return OpenAIBackend(
        client=client,
        model=model,
        model_id=model_id or model,
        revision=revision,
        dialect=Dialect(dialect) if dialect else None,
        concurrency=concurrency,
    )


async def _streamed(response: httpx2.Response, chunk: str) -> dict[str, Any]:
    """The completion of a stream; left, and with it ended by the server, where the answer goes in circles."""
    stream = streams.Stream(chunk)
    async for line in response.aiter_lines():
        if not stream.takes(line):
            break
    return stream.completion()


def _names(model: Mapping[str, Any]) -> list[str]:
    """What the server calls a model; llama.cpp has aliases as well."""
    return [str(name) for name in (model.get("id"), *(model.get("aliases") or ())) if name]


def _is_untrusted(error: BaseException | None) -> bool:
    """Whether a certificate is behind the error."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _result_of(work: Coroutine[Any, Any, T]) -> T:
    """What `work` comes to, in a thread of its own: the caller's may have an event loop, as a notebook's has."""
    with ThreadPoolExecutor(max_workers=1) as threads:
        return threads.submit(asyncio.run, work).result()

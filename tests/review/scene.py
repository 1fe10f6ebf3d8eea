"""The real web server on a database of its own, and reviewers who use its pages as a browser does."""

from __future__ import annotations

import gzip
import http.client
import os
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.db import connection
from django.test import Client

from annotator import programs, runtime
from annotator.accounts.models import User
from annotator.core.schema import Schema
from annotator.core.spans import Span
from annotator.documents.models import Document
from annotator.documents.services import NewDocument, add_documents
from annotator.projects.models import Membership, Project
from annotator.projects.services import create_project
from annotator.routing.services import route_job
from annotator.suggestions.recording import NewSuggestion, suggestion_row
from annotator.suggestions.services import LabelerSpec, import_run, labeler_for
from tests import prepared
from tests.cast import NOW, make_member
from tests.patience import PATIENCE_SECONDS

WORDS = (
    *("patient", "reports", "chest", "pain", "and", "takes", "metformin", "daily", "without", "fever", "or", "cough"),
    *("since", "Monday", "denies", "nausea", "started", "aspirin", "after", "surgery"),
)


@contextmanager
def own_database(folder: Path) -> Iterator[dict[str, str]]:
    """Points this process at a database that has no row yet, and gives the environment that points a program at it.

    SQLite: a file in `folder`. With DATABASE_URL: one on that server, dropped afterwards. The static files lie in
    `folder`, whichever it is.
    """
    url = runtime.secret("DATABASE_URL")
    name = f"thirty_{secrets.token_hex(6)}" if url else str(folder / "db.sqlite3")
    before = connection.settings_dict["NAME"]
    environment = {"MARGINALIA_DATA": str(folder), "DJANGO_SETTINGS_MODULE": "annotator.settings"}
    if url:
        environment["DATABASE_URL"] = urlsplit(url)._replace(path=f"/{name}").geturl()
        prepared.on_server(url, f'CREATE DATABASE "{name}" TEMPLATE "{prepared.template()}"')
    prepared.give_files(folder)
    try:
        connection.close()
        connection.settings_dict["NAME"] = name
        yield environment
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before
        if url:
            prepared.on_server(url, f'DROP DATABASE "{name}" WITH (FORCE)')


@dataclass(frozen=True, slots=True)
class Served:
    """A web server that runs: where it answers, its first process, and where it writes its log."""

    port: int
    pid: int
    log: Path


@contextmanager
def web_server(folder: Path, environment: Mapping[str, str], *, port: int | None = None) -> Iterator[Served]:
    """Gunicorn, started as the supervisor does, for a data folder and a database; on a free port or the given."""
    variables = os.environ | environment | {"SECRET_KEY": settings.SECRET_KEY, "REDIS_URL": "memory://"}
    if port is None:
        with socket.socket() as free:
            free.bind((programs.HOST, 0))
            port = int(free.getsockname()[1])
    child = programs.web(port)
    log = folder / "web.log"
    with log.open("wb") as stream:
        server = subprocess.Popen(child.argv, cwd=child.folder, env=variables, stdout=stream, stderr=stream)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not programs.is_web_up(port):
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield Served(port, server.pid, log)
    finally:
        server.send_signal(signal.SIGQUIT)  # without waiting for the lines that browsers keep
        server.wait()
        shutil.rmtree(runtime.socket_folder(folder))


def make_shared_project(
    *, schema: Schema, reviewers: Sequence[str], n_notes: int, n_words: int, n_spans: int, seed: int
) -> Project:
    """A project of generated notes, pre-labelled and routed, and its reviewers."""
    chance = random.Random(seed)
    project = create_project(name="Shared notes", schema=schema, lead=None, now=NOW)
    for username in reviewers:
        make_member(project, username, Membership.Role.ANNOTATOR)
    words = [[chance.choice(WORDS) for _ in range(n_words)] for _ in range(n_notes)]
    texts = ["Plan:\n" + "\n".join(" ".join(note[at : at + 14]) for at in range(0, n_words, 14)) for note in words]
    news = [NewDocument(external_id=f"note-{number}", text=text) for number, text in enumerate(texts)]
    add_documents(project=project, documents=news, now=NOW)
    spec = LabelerSpec(name="rules", backend="import", model_id="rules", revision="1")
    run = import_run(
        project=project,
        labeler=labeler_for(project=project, schema_version=project.schema_versions.get(), spec=spec, now=NOW),
        suggestions=[
            (document.pk, [suggestion_row(new) for new in _suggested(document.text, schema, n_spans, chance)])
            for document in Document.objects.filter(project=project).order_by("pk")
        ],
        actor=None,
        now=NOW,
    )
    for pk in run.jobs.order_by("pk").values_list("pk", flat=True):
        route_job(label_job_id=pk, now=NOW)
    return project


def session_of(user: User) -> str:
    """The cookie of a session of the user's own."""
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered with. `goes_to` is the path that it leads to, by htmx or the browser."""

    what: str
    status: int
    html: str
    goes_to: str
    sent_at: float
    seconds: float

    @property
    def is_saved(self) -> bool:
        """Whether a decision that was answered so is in the database; a redirect may also lead to the sign-in page."""
        return self.status == 200 and not self.is_to_sign_in

    @property
    def is_to_sign_in(self) -> bool:
        """Whether it leads to the sign-in page: by 302, or by 200 and a header where htmx had asked."""
        return self.goes_to.startswith("/accounts/")


@dataclass
class Tab:
    """One tab of a reviewer's browser on the review pages: the note it shows, and the card in it."""

    port: int
    session: str
    project_id: str
    note: str = ""
    key: str = ""
    target: str = ""
    answers: list[Answer] = field(default_factory=list, repr=False)
    _line: http.client.HTTPConnection | None = field(default=None, repr=False)
    _csrf: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    def take_next(self) -> Answer:
        """Press "Start reviewing"."""
        return self._follow(self.send("next", "POST", f"/p/{self.project_id}/review/next/"))

    def take(self, document_id: str) -> Answer:
        """Press "Review" on the row of a note."""
        return self._follow(self.send("take", "POST", f"/p/{self.project_id}/review/take/{document_id}/"))

    def open(self, note: str) -> Answer:
        """Go to the page of a note."""
        self.note = note
        return self._show(self.send("note", "GET", note))

    def next_card(self) -> Answer:
        """Fetch the first card of the queue."""
        return self._show(self.send("card", "GET", self.note, is_htmx=True))

    def decide(self, **fields: str) -> Answer:
        """Decide on the card, and go on as the answer says."""
        return self._follow(self.post(self.decision(**fields)))

    def decision(self, **fields: str) -> dict[str, str]:
        """The fields of a decision on the card, as its form sends them."""
        return {"key": self.key, "target": self.target, **fields}

    def post(self, decision: Mapping[str, str]) -> Answer:
        """Send a decision and leave the tab as it is, as where the answer is lost."""
        return self.send("decide", "POST", f"{self.note}decide/", decision, is_htmx=True)

    def put_back(self) -> Answer:
        """Leave the note for later."""
        return self._follow(self.send("put-back", "POST", f"{self.note}put-back/"))

    def renew(self) -> Answer:
        """Tell that somebody works on the note."""
        return self.send("renew", "POST", f"{self.note}renew/")

    def send(
        self, what: str, method: str, path: str, form: Mapping[str, str] | None = None, *, is_htmx: bool = False
    ) -> Answer:
        """One request. As a browser does, it is sent anew where the server had closed the line that was kept."""
        cookies = f"{settings.SESSION_COOKIE_NAME}={self.session}; {settings.CSRF_COOKIE_NAME}={self._csrf}"
        headers = {"Cookie": cookies, "X-CSRFToken": self._csrf, "Accept-Encoding": "gzip"}
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if is_htmx:
            headers |= {"HX-Request": "true", "HX-Current-URL": f"http://{programs.HOST}:{self.port}{self.note}"}
        body = urlencode(form or {}) if method == "POST" else None
        began = time.monotonic()
        is_kept = self._line is not None
        try:
            response, content = self._exchange(method, path, body, headers)
        except (http.client.RemoteDisconnected, ConnectionError):
            self.close()
            if not is_kept:
                raise
            response, content = self._exchange(method, path, body, headers)
        goes_to = urlsplit(response.headers["HX-Redirect"] or response.headers["Location"] or "").path
        answer = Answer(what, response.status, content.decode(), goes_to, began, time.monotonic() - began)
        self.answers.append(answer)
        return answer

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = None

    def _exchange(
        self, method: str, path: str, body: str | None, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        if self._line is None:
            self._line = http.client.HTTPConnection(programs.HOST, self.port, timeout=PATIENCE_SECONDS)
        self._line.request(method, path, body, dict(headers))
        response = self._line.getresponse()
        content = response.read()
        return response, gzip.decompress(content) if response.headers["Content-Encoding"] == "gzip" else content

    def _follow(self, answer: Answer) -> Answer:
        """Go where the answer leads, or show what came; the answer itself."""
        if answer.goes_to:
            self.open(answer.goes_to)
            return answer
        return self._show(answer)

    def _show(self, answer: Answer) -> Answer:
        """Read the card that came; where none did, the tab shows no note any more."""
        key, target = (re.search(rf'name="{name}" value="([^"]*)"', answer.html) for name in ("key", "target"))
        self.note = self.note if key and target else ""
        self.key, self.target = (key[1], target[1]) if key and target else ("", "")
        return answer


def _suggested(text: str, schema: Schema, n_spans: int, chance: random.Random) -> list[NewSuggestion]:
    words = [Span.of(*match.span()) for match in re.finditer(r"\w{4,}", text)]
    return [
        NewSuggestion(
            span=span,
            surface=span.surface(text),
            label=chance.choice(schema.label_names),
            attributes={},
            alignment="exact",
            score=round(chance.random(), 4),
        )
        for span in chance.sample(words, n_spans)
    ]

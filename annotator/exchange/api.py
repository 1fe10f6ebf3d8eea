"""Notes come in: in the body of one request, or as files that a job imports."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.utils import timezone
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.audit.services import record_read
from annotator.core.csv_rows import CsvLayout, LayoutError, checked_layout
from annotator.core.foreign import Voice
from annotator.core.schema import SchemaError, with_labels
from annotator.core.wording import sentence
from annotator.exchange import uploads
from annotator.exchange.archives import ArchiveError, unpacked
from annotator.exchange.checks import LabelMapError, SpanRules
from annotator.exchange.forms import UploadForm
from annotator.exchange.models import Import
from annotator.exchange.previews import first_columns, first_rows
from annotator.exchange.receiving import SpoolUploadHandler
from annotator.exchange.selectors import import_for, imports_of, people_to_annotate_as
from annotator.exchange.serializers import (
    NOT_STARTED,
    DocumentsAddedSerializer,
    DocumentsQuery,
    ImportOptionsSerializer,
    ImportQuery,
    ImportSerializer,
    NewDocumentsSerializer,
    PreviewSerializer,
    UploadSerializer,
)
from annotator.exchange.services import ImportRefused, import_documents
from annotator.exchange.sources import Source, SourceFile
from annotator.exchange.spool import folder_of, make_folder, remove_folder
from annotator.exchange.targets import identities
from annotator.projects.access import Action, may
from annotator.projects.models import Membership
from annotator.projects.selectors import current_schema
from annotator.projects.token_access import membership_of
from annotator.web.api import ApiView, operation, page_of, page_serializer
from annotator.web.api_bodies import read_bounded, read_json
from annotator.web.api_problems import Conflict, Refused, TooLarge, Unreadable
from annotator.web.ids import new_public_id

MAX_DOCUMENTS_BYTES = 32 * 1024 * 1024
MAX_JSON_BYTES = 4 * 1024 * 1024  # as one value: its objects take up to eighty times as much memory


class JsonDocuments(BaseParser):
    """`{"documents": […]}` as the lines of a JSONL file. A row is the importer's to judge."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = read_json(read_bounded(stream, MAX_JSON_BYTES))
        if not isinstance(body, dict) or set(body) != {"documents"} or not isinstance(body["documents"], list):
            raise Unreadable('{"documents": […]} is wanted.', errors=[("documents", "A list of notes is wanted.")])
        try:
            return b"".join(json.dumps(row).encode() + b"\n" for row in body["documents"])
        except RecursionError:
            raise Unreadable("The body is JSON that is nested too deeply.") from None


class JsonlDocuments(BaseParser):
    """One note a line."""

    media_type = "application/x-ndjson"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        return read_bounded(stream, MAX_DOCUMENTS_BYTES)


class DocumentsImport(ApiView):
    """What takes notes; the list of notes, at the same address, is `browse`'s."""

    parser_classes = (JsonDocuments, JsonlDocuments)

    @operation(
        "documents_create",
        query=DocumentsQuery,
        body={"application/json": NewDocumentsSerializer, "application/x-ndjson": bytes},
        answers={201: DocumentsAddedSerializer},
        problems=[422],
    )
    def post(self, request: Request, project_id: str) -> Response:
        """Bring notes in, all of them or none; 422 lists the rows that are wrong ("row 3").

        JSON, or JSONL (`application/x-ndjson`) with one note a line. A note that is there already is skipped. Spans
        are left out: bring them in by an import.
        """
        membership = membership_of(request, project_id, Action.IMPORT)
        if self.query["prelabel"]:
            membership_of(request, project_id, Action.RUN)
        content: Any = request.data or b""  # what the parsers give; nothing came where there is no body
        with tempfile.NamedTemporaryFile(dir=settings.SPOOL_DIR, suffix=".jsonl") as file:
            file.write(content)
            file.flush()
            try:
                report = import_documents(
                    project=membership.project,
                    source=Source((SourceFile("body.jsonl", Path(file.name)),)),
                    actor=membership.user,
                    now=timezone.now(),
                    is_prelabelled=self.query["prelabel"],
                )
            except ImportRefused as refusal:
                raise Refused(sentence(str(refusal)), errors=_rows(refusal.report.errors)) from refusal
        return Response(DocumentsAddedSerializer(report).data, status=201)


class Imports(ApiView):
    parser_classes = (MultiPartParser,)

    @operation("imports_list", query=ImportQuery, answers={200: page_serializer(ImportSerializer)})
    def get(self, request: Request, project_id: str) -> Response:
        """The project's imports, newest first."""
        membership = membership_of(request, project_id, Action.IMPORT)
        found = imports_of(membership.project)
        status = self.query.get("status")
        if status is not None:
            found = found.filter(job=None) if status == NOT_STARTED else found.filter(job__status=status)
        return page_of(found, query=self.query, serializer=ImportSerializer)

    @operation("imports_create", body={"multipart/form-data": UploadSerializer}, answers={201: ImportSerializer})
    def post(self, request: Request, project_id: str) -> Response:
        """Upload files, which are looked at and wait for their start; within a day, or they are removed."""
        membership = membership_of(request, project_id, Action.IMPORT)
        public_id = new_public_id()
        handler = SpoolUploadHandler(
            request._request, folder=make_folder(public_id), max_bytes=settings.MAX_UPLOAD_BYTES
        )
        request._request.upload_handlers = [handler]
        try:
            return self._receive(request, membership, handler, public_id)
        finally:
            if not imports_of(membership.project).filter(public_id=public_id).exists():
                remove_folder(public_id)

    def _receive(
        self, request: Request, membership: Membership, handler: SpoolUploadHandler, public_id: str
    ) -> Response:
        names = handler.named_files(request.POST.get("paths", ""))
        if handler.is_too_large:
            raise TooLarge("This is more than an upload may have: use manage.py import_documents.")
        try:
            names, n_other_files = unpacked(folder_of(public_id), names, max_bytes=settings.MAX_UPLOAD_BYTES)
        except ArchiveError as error:
            raise Unreadable("These files cannot be imported.", errors=[("files", sentence(str(error)))]) from error
        form = UploadForm({}, names=[name for _, name in names])
        if not form.is_valid():
            raise Unreadable(
                "These files cannot be imported.", errors=[("files", str(each)) for each in form.non_field_errors()]
            )
        item = uploads.create_import(
            project=membership.project,
            public_id=public_id,
            names=names,
            n_other_files=handler.n_other_files + n_other_files,
            actor=membership.user,
            now=timezone.now(),
        )
        return _answer(membership, item.public_id, status=201)


class ImportDetail(ApiView):
    @operation("imports_get", answers={200: ImportSerializer})
    def get(self, request: Request, project_id: str, import_id: str) -> Response:
        """How far an import is, what was found in its files, and what came of it."""
        return _answer(membership_of(request, project_id, Action.IMPORT), import_id)

    @operation("imports_discard", answers={204: None}, problems=[409])
    def delete(self, request: Request, project_id: str, import_id: str) -> Response:
        """Forget an upload that was not started; 409 where it was."""
        membership = membership_of(request, project_id, Action.IMPORT)
        item = import_for(project=membership.project, import_id=import_id)
        try:
            uploads.discard_import(item=item, actor=membership.user, now=timezone.now())
        except uploads.ImportConflict as conflict:
            raise Conflict(sentence(str(conflict))) from conflict
        return Response(status=204)


class ImportPreview(ApiView):
    @operation("imports_preview", answers={200: PreviewSerializer}, problems=[409])
    def get(self, request: Request, project_id: str, import_id: str) -> Response:
        """The first rows with the beginning of their text, for who uploaded them; 409 once the files are gone.

        That they were read is kept.
        """
        membership = membership_of(request, project_id, Action.IMPORT)
        item = import_for(project=membership.project, import_id=import_id, uploaded_by=membership.user)
        source = uploads.source_of(item)
        if source is None:
            raise Conflict("The uploaded files are gone.")
        record_read(
            project=project_id,
            actor=membership.user,
            object_id=item.public_id,
            now=timezone.now(),
            verb="import.preview",
        )
        return Response(PreviewSerializer({"first_rows": first_rows(source)}).data)


class ImportStart(ApiView):
    @operation("imports_start", body=ImportOptionsSerializer, answers={200: ImportSerializer}, problems=[409, 422])
    def post(self, request: Request, project_id: str, import_id: str) -> Response:
        """Start an import of one's own; a worker runs it, all or nothing. 409 where it was started before."""
        membership = membership_of(request, project_id, Action.IMPORT)
        item = import_for(project=membership.project, import_id=import_id, uploaded_by=membership.user)
        asked = ImportOptionsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        options = asked.options()
        if options.is_prelabelled:
            membership_of(request, project_id, Action.RUN)
        _refuse_impossible(membership, item, options)
        try:
            if "source_format" in asked.validated_data:
                uploads.look_again(item=item, source_format=asked.validated_data["source_format"])
            uploads.start_import(item=item, options=options, actor=membership.user, now=timezone.now())
        except uploads.ImportConflict as conflict:
            raise Conflict(sentence(str(conflict))) from conflict
        return _answer(membership, import_id)


class ImportCancel(ApiView):
    @operation("imports_cancel", answers={200: ImportSerializer}, problems=[409])
    def post(self, request: Request, project_id: str, import_id: str) -> Response:
        """Ask a started import to stop; 409 where it was not started, or can no longer be stopped."""
        membership = membership_of(request, project_id, Action.IMPORT)
        item = import_for(project=membership.project, import_id=import_id)
        try:
            uploads.cancel_import(item=item, actor=membership.user, now=timezone.now())
        except uploads.ImportConflict as conflict:
            raise Conflict(sentence(str(conflict))) from conflict
        return _answer(membership, import_id)


def _refuse_impossible(membership: Membership, item: Import, options: uploads.ImportOptions) -> None:
    """What the form of the page does not offer."""
    if options.spans_as == Import.SpansAs.ANNOTATIONS and options.spans_by not in people_to_annotate_as(membership):
        raise Refused(
            "You cannot bring annotations in for this person.", errors=[("annotator", "Not you, nor a member.")]
        )
    _refuse_people(membership, options)
    if options.new_labels and not may(role=membership.role, action=Action.MANAGE):
        raise Refused("Your role does not add labels to the schema.", errors=[("new_labels", "Leads add labels.")])
    try:
        schema = current_schema(membership.project).schema
        SpanRules(schema=with_labels(schema, options.new_labels), label_map=options.label_map)
    except SchemaError as error:
        raise Refused("The new labels do not fit.", errors=[("new_labels", sentence(str(error)))]) from error
    except LabelMapError as error:
        raise Refused("The label map does not fit.", errors=[("label_map", sentence(str(error)))]) from error
    _refuse_layout(item, options.csv_layout or uploads.layout_of(item))


def _refuse_people(membership: Membership, options: uploads.ImportOptions) -> None:
    """Refuse annotations of others, but for members, and for people whom a lead knows from the files only."""
    allowed = set(people_to_annotate_as(membership))
    if may(role=membership.role, action=Action.MANAGE):
        voices = map(Voice.of_key, options.voices)
        allowed |= set(identities(voice for voice in voices if not voice.is_model).values())
    for key, becomes in options.voices.items():
        if becomes.annotator and becomes.annotator not in allowed:
            raise Refused(
                "You cannot bring annotations in for this person.",
                errors=[(f"voices.{key}", "Neither a member nor the name that the import gives them.")],
            )


def _refuse_layout(item: Import, layout: CsvLayout | None) -> None:
    """Refuse what cannot be a layout of the upload's CSV files."""
    source = uploads.source_of(item)
    if source is None or layout is None:
        return
    try:
        if not source.tables:
            raise LayoutError("there is no CSV file in this upload")
        if layout.text is None:
            raise LayoutError("say which column is the text")
        checked_layout(layout, len(first_columns(source, layout)))
    except LayoutError as error:
        raise Refused("The files cannot be read so.", errors=[("csv", sentence(str(error)))]) from error


def _answer(membership: Membership, import_id: str, *, status: int = 200) -> Response:
    item = import_for(project=membership.project, import_id=import_id)
    return Response(ImportSerializer(item).data, status=status)


def _rows(errors: Sequence[Mapping[str, str]]) -> list[tuple[str, str]]:
    return [(error["where"], error["message"]) for error in errors]

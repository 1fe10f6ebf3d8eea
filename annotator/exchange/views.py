"""The import pages: upload, a look at what came, progress and result."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import RequestDataTooBig, TooManyFilesSent
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotator.audit.services import record_read
from annotator.core.csv_rows import CsvLayout
from annotator.core.foreign import NOBODY, Voice
from annotator.core.wording import sentence
from annotator.exchange import uploads
from annotator.exchange.archives import ArchiveError, unpacked
from annotator.exchange.forms import FormatForm, LayoutForm, OptionsForm, UploadForm
from annotator.exchange.models import Import
from annotator.exchange.previews import first_columns, first_rows
from annotator.exchange.receiving import SpoolUploadHandler
from annotator.exchange.reports import summary_lines
from annotator.exchange.selectors import import_for, imports_of, people_to_annotate_as
from annotator.exchange.services import WRITING
from annotator.exchange.sources import Source, likely_layout
from annotator.exchange.spool import folder_of, make_folder, remove_folder
from annotator.exchange.tools import SUFFIX_FORMATS
from annotator.jobs.models import Job
from annotator.jobs.selectors import has_worker
from annotator.projects.access import Action, may, membership_for
from annotator.projects.models import Membership
from annotator.projects.navigation import page_context
from annotator.projects.selectors import current_schema
from annotator.web.http import is_partial, render_either, see_other
from annotator.web.ids import new_public_id
from annotator.web.paging import page_of
from annotator.web.pills import Pill

_PILLS = {
    Job.Status.QUEUED: Pill("Waiting", "", "clock"),
    Job.Status.RUNNING: Pill("Running", "accent", "dot"),
    Job.Status.CANCELLING: Pill("Stopping", "warn", "clock"),
    Job.Status.DONE: Pill("Done", "ok", "check"),
    Job.Status.FAILED: Pill("Refused", "bad", "x"),
    Job.Status.CANCELLED: Pill("Cancelled", "", "minus"),
}
_NOT_STARTED = Pill("Not started", "warn", "clock")


@csrf_exempt  # the token is checked by _receive, once the files have a place to go
@require_http_methods(["GET", "HEAD", "POST"])
def imports(request: HttpRequest, project_id: str) -> HttpResponse:
    """The project's imports, newest first, and the form that uploads another; its POST leads to the preview."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.IMPORT)
    if request.method != "POST":
        return _imports_page(request, membership, UploadForm())
    public_id = new_public_id()
    handler = SpoolUploadHandler(request, folder=make_folder(public_id), max_bytes=settings.MAX_UPLOAD_BYTES)
    request.upload_handlers = [handler]
    try:
        return _receive(request, membership, handler, public_id)
    except (TooManyFilesSent, RequestDataTooBig):
        limit = "These are too many files for a browser: use manage.py import_documents."
        return _imports_page(request, membership, UploadForm({}, limit=limit), status=422)
    finally:
        if not imports_of(membership.project).filter(public_id=public_id).exists():
            remove_folder(public_id)


@csrf_protect
def _receive(request: HttpRequest, membership: Membership, handler: SpoolUploadHandler, public_id: str) -> HttpResponse:
    names = handler.named_files(request.POST.get("paths", ""))
    limit, n_other_files = "", 0
    if handler.is_too_large:
        limit = f"An upload may have {filesizeformat(settings.MAX_UPLOAD_BYTES)}: use manage.py import_documents."
    else:
        try:
            names, n_other_files = unpacked(folder_of(public_id), names, max_bytes=settings.MAX_UPLOAD_BYTES)
        except ArchiveError as error:
            limit = sentence(str(error))
    form = UploadForm(request.POST, names=[name for _, name in names], limit=limit)
    if not form.is_valid():
        return _imports_page(request, membership, form, status=422)
    item = uploads.create_import(
        project=membership.project,
        public_id=public_id,
        names=names,
        n_other_files=handler.n_other_files + n_other_files,
        actor=membership.user,
        now=timezone.now(),
    )
    return see_other(request, reverse("exchange:import", args=[membership.project.public_id, item.public_id]))


@require_safe
def import_page(request: HttpRequest, project_id: str, import_id: str) -> HttpResponse:
    """One import: the preview with its options, then progress, then the result. htmx gets the inside of the page."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.IMPORT)
    item = import_for(project=membership.project, import_id=import_id)
    return _import_page(request, membership, item)


@require_POST
def columns(request: HttpRequest, project_id: str, import_id: str) -> HttpResponse:
    """Read an upload's CSV files as the form says; htmx gets the page with the first rows as they are now."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.IMPORT)
    item = import_for(project=membership.project, import_id=import_id, uploaded_by=membership.user)
    source = uploads.source_of(item)
    form = _layout_form(item, source, request.POST)
    if source is None or form is None:
        return _to_import(request, membership, item)
    if not form.is_valid():
        return _import_page(request, membership, item, layout_form=form, status=422)
    try:
        uploads.look_again(item=item, layout=_chosen(form.layout(), item, source))
    except uploads.ImportConflict as conflict:
        messages.info(request, f"Nothing was changed: {conflict}.")
        return _to_import(request, membership, item)
    return _import_page(request, membership, item) if is_partial(request) else _to_import(request, membership, item)


@require_POST
def read_as(request: HttpRequest, project_id: str, import_id: str) -> HttpResponse:
    """Read an upload's files as the tool's that the form says."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.IMPORT)
    item = import_for(project=membership.project, import_id=import_id, uploaded_by=membership.user)
    form = _format_form(item, uploads.source_of(item), request.POST)
    if form is None:
        return _to_import(request, membership, item)
    if not form.is_valid():
        return _import_page(request, membership, item, format_form=form, status=422)
    try:
        uploads.look_again(item=item, source_format=form.cleaned_data["source_format"])
    except uploads.ImportConflict as conflict:
        messages.info(request, f"Nothing was changed: {conflict}.")
    return _to_import(request, membership, item)


@require_POST
def start(request: HttpRequest, project_id: str, import_id: str) -> HttpResponse:
    """Start the import as the form says. Only who uploaded the files may: the notes come in under that name."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.IMPORT)
    item = import_for(project=membership.project, import_id=import_id, uploaded_by=membership.user)
    form = _options_form(membership, item, request.POST)
    layout_form = _layout_form(item, uploads.source_of(item), request.POST)
    if not form.is_valid() or (layout_form is not None and not layout_form.is_valid()):
        return _import_page(request, membership, item, form=form, layout_form=layout_form, status=422)
    try:
        if request.POST.get("source_format", item.source_format) != item.source_format:
            form.add_error(None, "Another tool was chosen: read the files again, then import.")
            return _import_page(request, membership, item, form=form, status=422)
        if layout_form is not None and not _is_as_seen(layout_form, item, form):
            return _import_page(request, membership, item, form=form, status=422)
        uploads.start_import(item=item, options=form.options(), actor=membership.user, now=timezone.now())
    except uploads.ImportConflict as conflict:
        messages.info(request, f"Nothing was changed: {conflict}.")
    return _to_import(request, membership, item)


@require_POST
def cancel(request: HttpRequest, project_id: str, import_id: str) -> HttpResponse:
    """Ask a started import to stop."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.IMPORT)
    item = import_for(project=membership.project, import_id=import_id)
    try:
        uploads.cancel_import(item=item, actor=membership.user, now=timezone.now())
    except uploads.ImportConflict as conflict:
        messages.info(request, f"Nothing was changed: {conflict}.")
    return _to_import(request, membership, item)


@require_POST
def discard(request: HttpRequest, project_id: str, import_id: str) -> HttpResponse:
    """Forget an upload that was not started."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.IMPORT)
    item = import_for(project=membership.project, import_id=import_id)
    try:
        uploads.discard_import(item=item, actor=membership.user, now=timezone.now())
    except uploads.ImportConflict as conflict:
        messages.info(request, f"Nothing was changed: {conflict}.")
        return _to_import(request, membership, item)
    messages.success(request, "The upload is discarded; its files are gone.")
    return see_other(request, reverse("exchange:imports", args=[project_id]))


def _to_import(request: HttpRequest, membership: Membership, item: Import) -> HttpResponse:
    return see_other(request, reverse("exchange:import", args=[membership.project.public_id, item.public_id]))


def _imports_page(request: HttpRequest, membership: Membership, form: UploadForm, status: int = 200) -> HttpResponse:
    page = page_of(request, imports_of(membership.project))
    context = page_context(membership, current="Import") | {
        "form": form,
        "page": page,
        "rows": [{"item": item, "pill": _pill(item), "report": item.result.get("report")} for item in page],
        "limit": filesizeformat(settings.MAX_UPLOAD_BYTES),
    }
    return render(request, "exchange/imports.html", context, status=status)


def _import_page(
    request: HttpRequest,
    membership: Membership,
    item: Import,
    *,
    form: OptionsForm | None = None,
    layout_form: LayoutForm | None = None,
    format_form: FormatForm | None = None,
    status: int = 200,
) -> HttpResponse:
    context = page_context(membership, current="Import", crumb="Import") | {
        "item": item,
        "job": item.job,
        "pill": _pill(item),
        "look": item.result.get("look"),
    }
    if item.job is None:
        context |= _preview(membership, item, form, layout_form, format_form)
    elif item.job.is_finished:
        report = item.result.get("report")
        context |= {
            "report": report,
            "lines": summary_lines(report) if report else [],
            "may_run": may(role=membership.role, action=Action.RUN),
            "may_review": may(role=membership.role, action=Action.REVIEW),
        }
    else:
        context |= {
            "has_worker": has_worker(queue="main", now=timezone.now()),
            "is_writing": item.job.phase == WRITING,
        }
    return render_either(
        request, page="exchange/import.html", partial="exchange/import_body.html", context=context, status=status
    )


def _preview(
    membership: Membership,
    item: Import,
    form: OptionsForm | None,
    layout_form: LayoutForm | None,
    format_form: FormatForm | None,
) -> dict[str, Any]:
    """What the preview shows; the first rows and the form only to who uploaded the files. The rows are note text, so
    one event an hour tells that they were read.
    """
    if item.created_by_id != membership.user_id:
        return {"is_own": False}
    source = uploads.source_of(item)
    if source is not None:
        record_read(
            project=membership.project.public_id,
            actor=membership.user,
            object_id=item.public_id,
            now=timezone.now(),
            verb="import.preview",
        )
    return {
        "is_own": True,
        "is_gone": source is None,
        "first_rows": first_rows(source) if source else [],
        "form": form or _options_form(membership, item, None),
        "layout_form": layout_form or _layout_form(item, source, None),
        "format_form": format_form or _format_form(item, source, None),
        "tables": source.tables if source else [],
    }


def _options_form(membership: Membership, item: Import, data: Any) -> OptionsForm:
    look = item.result["look"]
    # An upload of before voices were told has those of nobody.
    voices = [(Voice.of_key(key), *counts) for key, *counts in look.get("voices", [[NOBODY.key, 0, 0]])]
    return OptionsForm(
        data,
        labels=look["labels"],
        voices=[each for each in voices if each[0] != NOBODY],
        has_unnamed=bool(look["labels"]) and any(voice == NOBODY for voice, *_ in voices),
        schema_labels=current_schema(membership.project).schema.label_names,
        people=people_to_annotate_as(membership),
        own_name=membership.user.get_username(),
        may_prelabel=may(role=membership.role, action=Action.RUN),
        may_manage=may(role=membership.role, action=Action.MANAGE),
    )


def _format_form(item: Import, source: Source | None, data: Any) -> FormatForm | None:
    """The form of what the files are read as; None where none can be read as another tool's."""
    if source is None or not any(len(SUFFIX_FORMATS.get(file.suffix, ())) > 1 for file in source.files):
        return None
    return FormatForm(data, source=source, chosen=item.source_format)


def _layout_form(item: Import, source: Source | None, data: Any) -> LayoutForm | None:
    """The form of the upload's columns; None where it has none."""
    layout = uploads.layout_of(item)
    found = first_columns(source, layout) if source and layout else []
    return LayoutForm(data, layout=layout, columns=found) if layout and found else None


def _chosen(layout: CsvLayout, item: Import, source: Source) -> CsvLayout:
    """The layout asked for. Another delimiter or encoding makes other columns, so these are guessed anew."""
    before = uploads.layout_of(item)
    if before is None or before.shape == layout.shape:
        return layout
    return likely_layout(source, encoding=layout.encoding, delimiter=layout.delimiter) or layout


def _is_as_seen(layout_form: LayoutForm, item: Import, form: OptionsForm) -> bool:
    """Whether the columns are those whose rows the person has seen; if not, they are read, and the form says so.

    Raises ImportConflict.
    """
    layout, source = layout_form.layout(), uploads.source_of(item)
    if layout.text is None:
        form.add_error(None, "Say which column is the text.")
        return False
    if source is None or layout == uploads.layout_of(item):
        return True
    uploads.look_again(item=item, layout=_chosen(layout, item, source))
    form.add_error(None, "The columns have changed: look at the first rows again, then import.")
    return False


def _pill(item: Import) -> Pill:
    return _PILLS[Job.Status(item.job.status)] if item.job else _NOT_STARTED

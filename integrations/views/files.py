"""Uploading a file of records. The form is read as it comes in, so that 100 MB are never in memory nor, in clear, on a disk."""

from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from aaperture.lib.nudge import nudge
from accounts.http import UserRequest
from integrations.connectors import CONNECTORS
from integrations.errors import NotConnected
from integrations.models import Connection
from integrations.services import uploads
from integrations.tasks import execute_run
from integrations.wording import FILE_FAULTS, place_words

AROUND = 64 * 1024  # bytes of a form around its file


class IntoPieces(FileUploadHandler):
    """Hands the form's file to an `Intake`, whatever field it is in; there is one at most."""

    chunk_size = 256 * 1024

    def __init__(self, connection: Connection, request: UserRequest) -> None:
        super().__init__(request)
        self.connection = connection
        self.person = request.user
        self.intake: uploads.Intake | None = None
        self.fault: uploads.FileRefused | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self.intake is not None:
            raise SkipFile
        try:
            self.intake = uploads.Intake(self.connection, actor=self.person)
        except (uploads.FileRefused, NotConnected) as error:
            self._refuse(uploads.FileRefused(error.code))

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        try:
            self.intake.write(raw_data)  # type: ignore[union-attr]  # `new_file` has made it
        except uploads.FileRefused as fault:
            self._refuse(fault)

    def file_complete(self, file_size: int) -> None:
        """Nothing: the pieces are where they belong."""

    def abandon(self) -> None:
        if self.intake is not None:
            self.intake.abandon()
            self.intake = None

    def _refuse(self, fault: uploads.FileRefused) -> None:
        """What comes after is read and thrown away, so that the browser sees our answer."""
        self.fault = fault
        raise SkipFile


def _target(request: UserRequest, pk: UUID) -> Connection:
    """One's own source of files, or the instance's for whoever runs what reads it. Raises Http404, PermissionDenied."""
    rows = Connection.objects.for_pages().exclude(status=Connection.Status.REVOKED)
    connection: Connection = get_object_or_404(rows.own_or_instances(request.user), pk=pk)
    if getattr(CONNECTORS.get(connection.provider), "holds", "") != "file":
        raise Http404
    if connection.owner_id is None and not request.user.has_perm("integrations.execute_pipeline"):
        raise PermissionDenied
    return connection


@csrf_exempt  # checked by `_received`, after the form's reading has been prepared
@require_http_methods(["GET", "POST"])
def file_add(request: UserRequest, pk: UUID) -> HttpResponse:
    connection = _target(request, pk)
    if request.method != "POST":
        return _page(request, connection)
    if int(request.META.get("CONTENT_LENGTH") or 0) > uploads.LARGEST + AROUND:
        return _page(request, connection, uploads.FileRefused("file_too_large"))
    handler = IntoPieces(connection, request)
    request.upload_handlers = [handler]
    try:
        return _received(request, connection, handler)
    finally:
        handler.abandon()  # unless it was taken


@csrf_protect
def _received(request: UserRequest, connection: Connection, handler: IntoPieces) -> HttpResponse:
    request.POST.get("upload")  # reads the form, and with it the file
    if handler.fault is not None or handler.intake is None:
        return _page(request, connection, handler.fault or uploads.FileRefused("file_none"))
    try:
        runs = handler.intake.end(request=request)
    except uploads.FileRefused as fault:
        return _page(request, connection, fault)
    handler.intake = None
    for run in runs:
        nudge(execute_run, run.pk)
    return redirect(_back(request, connection))


def _back(request: UserRequest, connection: Connection) -> str:
    """The source's page; for those who run what reads it and see no connections, the runs."""
    if connection.owner_id is None and not request.user.has_perm("pages.connectors"):
        return reverse("admin:integrations_run_changelist")
    name = "integrations:source" if connection.owner_id else "admin:integrations_connection_change"
    return reverse(name, args=[connection.pk])


def _page(request: UserRequest, connection: Connection, fault: uploads.FileRefused | None = None) -> HttpResponse:
    context = {
        "connection": connection, "back": _back(request, connection), "largest": uploads.LARGEST // (1024 * 1024),
        "fault": FILE_FAULTS.get(fault.code, FILE_FAULTS["file_none"]) if fault else "", "where": place_words(fault.place) if fault else "",
    }  # fmt: skip
    return render(request, "integrations/file_add.html", context, status=422 if fault else 200)

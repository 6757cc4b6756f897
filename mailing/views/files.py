"""Files that people add to an e-mail they are writing: uploaded, looked at, taken away again."""

from uuid import UUID

from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.http import UserRequest
from mailing import object_store
from mailing.models import AddedFile
from mailing.services import files
from mailing.views.compose import chosen_files, target_of
from studio.access import found


def _words(code: str) -> str:
    return {
        "type": _("That is no PDF, JPEG, PNG or WebP file, or its name says something else."),
        "size": _("That is too large: 10 MB each, 15 MB together."),
        "count": _("Five files are the most."),
        "name": _("The file’s name is too long or holds a character that no e-mail can."),
        "store": _("The file could not be stored just now. Try again in a moment."),
    }[code]


@require_POST
def file_add(request: UserRequest) -> HttpResponse:
    target, upload = target_of(request), request.FILES.get("upload")
    if target is None or not upload or not object_store.is_configured():
        raise BadRequest("nothing to add")
    chosen, fault = chosen_files(request, target), ""
    try:
        if (upload.size or 0) > files.LARGEST:
            raise files.NotTaken("size")
        chosen.append(
            files.add_file(
                target.organization, name=upload.name or "", content=upload.read(), beside=chosen, actor=request.user, request=request
            )
        )
    except files.NotTaken as refused:
        fault = _words(refused.code)
    return render(request, "mailing/_files.html", {"target": target, "files": chosen, "file_fault": fault})


def _mine(request: UserRequest, pk: UUID) -> AddedFile:
    """One's own, as long as it lies there. Raises Http404, PermissionDenied."""
    rows = AddedFile.objects.lying().filter(email=None, created_by=request.user)
    row, _place = found(request, rows, pk, "emails.edit")
    file: AddedFile = row
    return file


@require_GET
def file(request: UserRequest, pk: UUID) -> HttpResponse:
    """To an address of the object store that is good for five minutes."""
    row = _mine(request, pk)
    if not object_store.is_configured():  # any more
        raise Http404
    return HttpResponseRedirect(object_store.signed_address(row.key, content_type=row.content_type))


@require_POST
def file_remove(request: UserRequest, pk: UUID) -> HttpResponse:
    files.remove([_mine(request, pk)])
    return HttpResponse()

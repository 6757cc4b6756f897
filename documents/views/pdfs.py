"""A document as PDF, made from its content in the moment it is asked for."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from documents.printing import as_pdf
from documents.services.papers import AnyDocument, file_name, paper
from documents.views.possible import page_url


def pdf_response(request: HttpRequest, document: AnyDocument) -> HttpResponse:
    content = paper(document)
    if content is None:
        messages.error(request, _("Choose the client first: nothing can be printed without one."))
        return redirect(page_url(document))
    response = HttpResponse(as_pdf(content), content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="{file_name(document)}"'
    return response

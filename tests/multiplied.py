"""Many rows quickly: the database copies some that are there, thousands of times, in one statement each."""

from typing import Any

from django.db import connection, models

from accounts.models import Organization
from documents.models import Contract, Invoice, Quote
from mailing.models import ScheduledEmail
from studio.models import Contact, PhotoSession, Project

NINE_IN_TEN_ARE_PAID = """
    INSERT INTO documents_payment (id, organization_id, invoice_id, amount, paid_on, method, reference, recorded_at)
    SELECT gen_random_uuid(), organization_id, id, gross, issued_on + 20, 'transfer', '', now() FROM documents_invoice
    WHERE organization_id = %s AND status = 'issued' AND number LIKE 'N-%%' AND right(number, 1) <> '7'
"""


def multiply(rows: Any, times: int, **changes: str) -> int:
    """Store every one of `rows` (a queryset) `times` times more, each with a key of its own; returns how many were stored.

    `changes` are SQL for columns; `n` is which copy, `source` the table.
    """
    model: type[models.Model] = rows.model
    columns = [field.column for field in model._meta.concrete_fields]
    values = {"id": "gen_random_uuid()"} | changes
    quote = connection.ops.quote_name
    chosen = ", ".join(values.get(column, f"source.{quote(column)}") for column in columns)
    sql, parameters = rows.values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(map(quote, columns))}) SELECT {chosen}"
            f" FROM {quote(model._meta.db_table)} source CROSS JOIN generate_series(1, %s) n WHERE source.id IN ({sql})",
            [times, *parameters],
        )
        return cursor.rowcount


def fill_studio(studio: Organization, *, contacts: int, documents: int, emails: int) -> None:
    """A studio with one project, documents, payments, sessions and e-mails gets very many of them, spread over three years."""
    own = {"organization": studio}
    back = "INTERVAL '1 day' * (n %% 1000)"
    named = {"search_text": "source.search_text || ' x' || n", "email": "'p' || n || '@mail.example'"}
    multiply(Contact.objects.filter(**own)[:1], contacts, **named)
    multiply(Project.objects.filter(**own)[:1], documents // 25, created_at=f"source.created_at - {back}")
    times = {"starts_at": f"source.starts_at - {back}", "ends_at": f"source.ends_at - {back}"}
    multiply(PhotoSession.objects.filter(**own, status="requested")[:1], documents // 250, **times)
    for model, share in ((Quote, 0.4), (Contract, 0.1), (Invoice, 0.5)):
        rows = model.objects.filter(**own).exclude(number="").order_by("created_at")[:1]
        values = {"number": "'N-' || n", "created_at": f"source.created_at - {back}", "search_text": "source.search_text || ' n' || n"}
        if model is Invoice:
            values |= {"issued_on": "source.issued_on - (n %% 1000)", "due_on": "source.due_on - (n %% 1000)"}
        multiply(rows, int(documents * share), **values)
    when = {"send_at": "source.send_at - INTERVAL '6 minutes' * n", "sent_at": "source.sent_at - INTERVAL '6 minutes' * n"}
    words = {"recipient": "'p' || n || '@mail.example'", "subject": "'Votre devis N-' || n"}
    message_id = "'<' || gen_random_uuid() || '@x>'"
    multiply(ScheduledEmail.objects.filter(**own, status="sent")[:1], emails, message_id=message_id, **words, **when)
    with connection.cursor() as cursor:
        cursor.execute(NINE_IN_TEN_ARE_PAID, [studio.pk])
        cursor.execute("ANALYZE")

"""What staff see of the post: what waits and why, never to whom or what; and who may send again."""

import pytest
from django.contrib.admin import site
from django.urls import reverse

from accounts.roles import ROLE_PERMISSIONS, STAFF
from mailing.models import AddedFile, ScheduledEmail, SendingAccount, TemplateVersion
from mailing.services import emails
from tests.accounts.people import make_user
from tests.mailing.post import contacts_named, make_template
from tests.studio.trade import studio_of

pytestmark = pytest.mark.django_db
SECRETS = ("canary-user", "canary-password", "canary@", "Canary", "quelques mots", "Pour ")


def test_those_who_monitor_see_states_and_send_again_and_nobody_sees_words_or_recipients(client):
    anna = make_user(name="Olive Owner")
    organization = studio_of(anna)
    template = make_template(organization, anna, name="Canary", text="quelques mots")
    failed, doubtful = emails.schedule_emails(
        organization, template=template, targets=contacts_named(organization, ["canary", "canary2"]), actor=anna
    )
    ScheduledEmail.objects.filter(pk=failed.pk).update(status="failed", error="recipient")
    ScheduledEmail.objects.filter(pk=doubtful.pk).update(status="unknown", error="lost")
    SendingAccount.objects.create(
        organization=organization,
        host="smtp.example.com",
        username="canary-user",
        password="canary-password",
        from_email="canary@b.eu",
    )
    pages = {
        reverse(f"admin:mailing_{model}_changelist"): reverse(f"admin:mailing_{model}_change", args=[pk])
        for model, pk in (("scheduledemail", failed.pk), ("emailtemplate", template.pk), ("sendingaccount", organization.pk))
    }
    for role in sorted(STAFF):
        client.force_login(make_user(role=role))
        for listed, one in pages.items():
            answers = [client.get(listed), client.get(one)]
            wanted = 200 if "pages.monitoring" in ROLE_PERMISSIONS[role] else 403
            assert [answer.status_code for answer in answers] == [wanted, wanted], (role, listed)
            assert not [word for word in SECRETS if word in answers[0].text + answers[1].text]
        mails = reverse("admin:mailing_scheduledemail_changelist")
        act = client.post(mails, {"action": "send_again", "_selected_action": [failed.pk]})
        may = {"operations.manage_alerts", "pages.monitoring"} <= ROLE_PERMISSIONS[role]
        failed.refresh_from_db()
        assert (act.status_code, failed.status) == ((302, "scheduled") if may else (403, "failed")), role
        ScheduledEmail.objects.filter(pk=failed.pk).update(status="failed")
    client.force_login(make_user(role="admin"))
    mails = reverse("admin:mailing_scheduledemail_changelist")
    client.post(mails, {"action": "note_lost", "_selected_action": [failed.pk, doubtful.pk]})
    doubtful.refresh_from_db()
    failed.refresh_from_db()
    assert (doubtful.status, failed.status) == ("failed", "failed")
    ScheduledEmail.objects.filter(pk=doubtful.pk).update(status="unknown")
    client.post(mails, {"action": "note_arrived", "_selected_action": [doubtful.pk]})
    doubtful.refresh_from_db()
    assert doubtful.status == "sent"


def test_words_of_templates_and_added_files_have_no_page_there():
    assert not {TemplateVersion, AddedFile} & set(site._registry)

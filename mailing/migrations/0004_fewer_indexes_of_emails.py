import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mailing", "0003_deleting_a_contact_forgets_recipients")]

    operations = [
        migrations.AlterField(
            model_name="scheduledemail",
            name="contract",
            field=models.ForeignKey(
                db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="emails", to="documents.contract"
            ),
        ),
        migrations.AlterField(
            model_name="scheduledemail",
            name="invoice",
            field=models.ForeignKey(
                db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="emails", to="documents.invoice"
            ),
        ),
        migrations.AlterField(
            model_name="scheduledemail",
            name="message_id",
            field=models.CharField(max_length=120),
        ),
        migrations.AlterField(
            model_name="scheduledemail",
            name="organization",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="emails", to="accounts.organization"
            ),
        ),
        migrations.AlterField(
            model_name="scheduledemail",
            name="project",
            field=models.ForeignKey(
                db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="emails", to="studio.project"
            ),
        ),
        migrations.AlterField(
            model_name="scheduledemail",
            name="quote",
            field=models.ForeignKey(
                db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="emails", to="documents.quote"
            ),
        ),
        migrations.AddIndex(
            model_name="scheduledemail",
            index=models.Index(condition=models.Q(("project__isnull", False)), fields=["project"], name="mailing_of_project"),
        ),
        migrations.AddIndex(
            model_name="scheduledemail",
            index=models.Index(condition=models.Q(("quote__isnull", False)), fields=["quote"], name="mailing_of_quote"),
        ),
        migrations.AddIndex(
            model_name="scheduledemail",
            index=models.Index(condition=models.Q(("contract__isnull", False)), fields=["contract"], name="mailing_of_contract"),
        ),
        migrations.AddIndex(
            model_name="scheduledemail",
            index=models.Index(condition=models.Q(("invoice__isnull", False)), fields=["invoice"], name="mailing_of_invoice"),
        ),
        migrations.AddConstraint(
            model_name="scheduledemail",
            constraint=models.UniqueConstraint(fields=("message_id",), name="mailing_message_id"),
        ),
    ]

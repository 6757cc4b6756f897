from django.db import migrations, models

import mailing.models.emails


class Migration(migrations.Migration):
    """Nothing changes in the database: what happens then is done by the application."""

    dependencies = [
        ("mailing", "0002_reminders_and_added_files"),
        ("studio", "0003_calendars_of_sessions"),
    ]

    operations = [
        migrations.AlterField(
            model_name="scheduledemail",
            name="contact",
            field=models.ForeignKey(
                null=True, on_delete=mailing.models.emails.forget_recipient, related_name="emails", to="studio.contact"
            ),
        ),
    ]

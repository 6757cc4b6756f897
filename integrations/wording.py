"""What codes mean, in words for the person whose mailbox or source it is, and for staff."""

from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

STOP_REASONS = {
    "": _("Everything new was read."),
    "nothing_new": _("Nothing new had arrived."),
    "cancelled": _("You stopped it. What was found until then is kept."),
    "disconnected": _("The mailbox was disconnected. What was found until then is kept."),
    "needs_reauth": _("Google no longer accepts our permission. Give it again; reading then goes on where it stopped."),
    "google_unavailable": _("Google did not answer. Reading goes on by itself where it stopped."),
    "google_refused": _("Google refused to be read. If this lasts, ask whoever runs this site, or your Google administrator."),
    "some_failed": _("Some messages could not be fetched. They are tried again next time."),
    "time_cap": _("There was more than one run may read. The rest follows at once in a new run."),
    "day_cap": _("The pipeline has read as much as it may in one day. The rest follows from tomorrow on."),
    "message_cap": _("There was more than one run may read. The rest follows at once in a new run."),
    "worker_lost": _("The program that read was interrupted. What was found is kept, and reading goes on."),
    "steps_too_slow": _("The steps take too long over what is read here. Whoever wrote them has to make them simpler."),
    "internal_error": _("Something went wrong on our side. What was found is kept; the next run goes on from there."),
}

FEED_FAULTS = {
    "feed_unavailable": _("The source did not answer. It is tried again by itself."),
    "feed_unreachable": _("The source cannot be reached from here."),
    "feed_access_refused": _("The source refuses our secret. Give another in the connection’s settings."),
    "feed_refused": _("The source answered that there is nothing at this address."),
    "feed_unreadable": _("The source’s answer is not what the connection’s settings say: no JSON, or no list in that place."),
    "feed_elsewhere": _("The next page is on another host, which is not followed."),
    "feed_endless": _("The source’s pages do not end."),
}
TABLE_FAULTS = {
    "csv_empty": _("The file is empty."),
    "csv_no_text": _("This is no text. Save the table as CSV."),
    "csv_workbook": _("This is a workbook of a spreadsheet program. Save it there as CSV and bring that file."),
    "csv_encoding": _("The file is written in another encoding than it should be. Save it as CSV in UTF-8."),
    "csv_no_headings": _("The first row has to name the columns, and it is empty."),
    "csv_heading": _("A heading is too long, or holds characters that cannot be printed."),
    "csv_same_heading": _("Two columns have the same heading."),
    "csv_columns": _("There are too many columns."),
    "csv_no_id_column": _("No column has the heading that names a row. It stands in the settings of the source."),
    "csv_no_rows": _("There are headings and no rows."),
    "csv_quotes": _("A quotation mark is not closed, or something stands after one that is."),
    "csv_cell_long": _("A cell is too long. Perhaps a quotation mark before it is not closed."),
    "csv_line_ends": _("The lines do not end as lines of CSV do. Save the file anew as CSV."),
    "csv_endless": _("A line does not end. Perhaps this is no table."),
}
FILE_FAULTS = TABLE_FAULTS | {
    "file_none": _("Choose a file."),
    "file_too_large": _("The file is too large."),
    "file_too_many": _("Several files wait to be read already. Bring this one when they have been."),
    "file_no_pipeline": _("Nothing reads this source yet. Somebody has to make a pipeline over it first."),
    "not_connected": _("This source is switched off."),
}
HOOK_FAULTS = {  # of a webhook that works, and whose deliveries are lost for all that
    "hook_full": _("More was delivered than may wait: the rest is refused until what waits has been read."),
    "hook_not_entitled": _("What is delivered is refused: this site reads by itself for those who contribute."),
    "hook_expired": _("Something was delivered, nothing read it for a week, and it was deleted."),
}
SOURCE_FAULTS = {
    **FEED_FAULTS,
    **TABLE_FAULTS,
    **HOOK_FAULTS,
    "file_missing": _("No file waits to be read."),
    "contacts_no_studio": _("Whoever it works for has no studio in which they may add contacts."),
    "hook_without_secret": _("It has no secret, so nobody can deliver to it."),
}
STOP_REASONS |= SOURCE_FAULTS

# the same, for those who look after runs that are not theirs
STOP_REASONS_FOR_STAFF = STOP_REASONS | {
    "cancelled": _("Stopped by hand. What was found until then is kept."),
    "needs_reauth": _("Google no longer accepts the permission; its owner must give it again."),
    "google_refused": _("Google refused to be read."),
}
CONNECTION_FAULTS = SOURCE_FAULTS | {
    "unauthorized": _("Google no longer accepts the permission; its owner must give it again."),
    "access_withdrawn": _("Google no longer accepts the permission; its owner must give it again."),
    "invalid_grant": _("Google no longer accepts the permission; its owner must give it again."),
    "grant_ended": _("The permission for one scan has ended."),
    "token_not_kept": _("Without a contribution no permission is kept between scans."),
    "google_refused": _("Google refused to be read."),
    "not_connected": _("Nobody has authorised it yet."),
}

DESTINATIONS = {
    "opportunities": _("Opportunities of a person"),
    "contacts": _("Contacts of a studio"),
    "dataset": _("A plain dataset"),
}

# a person's own sources: what it is called, what it is for, and its picture
SOURCES = {
    "csv_upload": (_("CSV files"), _("Bring a table from a spreadsheet or another program, now and again."), "file-spreadsheet"),
    "inbound_webhook": (
        _("Webhook"),
        _("The form of your website, or any program that can call an address, delivers here at once."),
        "webhook",
    ),
    "http_json": (_("JSON feed"), _("A service that lists its records as JSON over https. It is read twice a day."), "rss"),
}

CONNECTION_ADVICE = {
    "pending": _("This connection was never finished."),
    "needs_reauth": _("Google no longer accepts our permission: it was withdrawn, or it has expired. Give it again to go on."),
    "paused": _("Without a contribution we keep no permission between scans. You can scan again at any time."),
    "error": _("Reading fails. Give permission again, or ask whoever runs this site."),
    "revoked": _("Disconnected. We can no longer read this mailbox; opportunities already found stay."),
}

GRANT_FAULTS = {
    "scopes_missing": _(
        "Google did not give permission to read mail: the box was not ticked. Nothing was stored. "
        "Try again and leave the box ticked if you want opportunities found in this mailbox."
    ),
    "account_mismatch": _("That was another Google account. Choose the one this connection belongs to, or add it as a new one."),
    "access_denied": _("You did not give permission, so nothing was connected."),
    "oauth_unavailable": _("Google did not answer. Please try again in a moment."),
    "invalid_grant": _("Google did not accept the answer any more. Please try again."),
}
CALENDAR_ADVICE = CONNECTION_ADVICE | {
    "error": _("Writing to the calendar fails. Give permission again, or ask whoever runs this site."),
    "revoked": _("Disconnected. We can no longer reach the calendar; what is in it stays in your Google account."),
}
CALENDAR_GRANT_FAULTS = {
    "scopes_missing": _(
        "Google did not give permission to make a calendar: the box was not ticked. Nothing was stored. "
        "Try again and leave the box for making calendars ticked; the other two are up to you."
    ),
    "account_mismatch": _("That was another Google account. Choose the one this connection belongs to, or add it as a new one."),
}
GRANT_FAILED = _("Google’s answer could not be trusted, so nothing was connected. Please try again.")

LABELS = {
    "application_confirmation": _("Application received"),
    "rejection": _("Refusal"),
    "availability_request": _("Asks for your availability"),
    "interview_invitation": _("Interview or meeting"),
    "assessment_sent": _("Test or task"),
    "information_request": _("Asks for information"),
    "referral_action_required": _("Recommendation"),
    "inbound_request": _("Approach by a recruiter"),
    "action_required_from_company": _("They owe the next step"),
    "hiring_freeze": _("Post on hold"),
    "withdrew_application": _("You withdrew"),
    "offer_made": _("Offer"),
    "client_enquiry": _("Client enquiry"),
    "quote_follow_up": _("About your quote"),
    "call_for_entries": _("Call for entries"),
    "filtered": _("Filtered out"),
    "not_relevant": pgettext_lazy("kind of mail", "Not relevant"),
}

EVENTS = {
    "quarantined": _("A message could not be read and was left alone."),
    "not_storable": _("A message’s details could not be stored."),
    "unusable": _("Records hold nothing to make a contact of: no name, no company and no address. How many:"),
    "worker_lost": _("The program that read was interrupted."),
    "csv_too_many_cells": _("A row has more cells than there are headings. Row and column:"),
    "csv_characters": _("A cell holds a character that no text may hold. Row and column:"),
    "csv_no_id": _("The cell that names the row is empty or too long. Row and column:"),
    "csv_formulas": _("Cells begin like a formula. They are kept as they are, and made harmless when exported. How many:"),
    "hook_unreadable": _("A delivery holds no JSON, or nothing where the list should be."),
    "hook_no_record": _("Part of a delivery is no record, or has no name."),
} | TABLE_FAULTS


def place_words(place: str) -> str:
    """Where in a table: "17" is a row, "17:3" a row and a column."""
    row, _colon, column = place.partition(":")
    if not row:
        return ""
    return gettext("Row %(row)s, column %(column)s.") % {"row": row, "column": column} if column else gettext("Row %s.") % row

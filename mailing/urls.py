from django.urls import path

from mailing.views import bulk, compose, delivery, files, panels, reminders, settings, today

app_name = "mailing"
urlpatterns = [
    path("emails/", delivery.email_list, name="email_list"),
    path("emails/new/", compose.new, name="new"),
    path("emails/new/files/", files.file_add, name="file_add"),
    path("emails/files/<uuid:pk>/", files.file, name="file"),
    path("emails/files/<uuid:pk>/remove/", files.file_remove, name="file_remove"),
    path("emails/bulk/", bulk.bulk, name="bulk"),
    path("emails/release/", delivery.release_all, name="release_all"),
    path("emails/<uuid:pk>/", delivery.email_detail, name="email"),
    path("emails/<uuid:pk>/reschedule/", delivery.email_reschedule, name="email_reschedule"),
    path("emails/<uuid:pk>/hold/", delivery.email_hold, name="email_hold"),
    path("emails/<uuid:pk>/release/", delivery.email_release, name="email_release"),
    path("emails/<uuid:pk>/cancel/", delivery.email_cancel, name="email_cancel"),
    path("emails/<uuid:pk>/retry/", delivery.email_retry, name="email_retry"),
    path("emails/<uuid:pk>/resolve/", delivery.email_resolve, name="email_resolve"),
    path("emails/of/contact/<uuid:pk>/", panels.contact_panel, name="contact_panel"),
    path("emails/of/quote/<uuid:pk>/", panels.quote_panel, name="quote_panel"),
    path("emails/of/contract/<uuid:pk>/", panels.contract_panel, name="contract_panel"),
    path("emails/of/invoice/<uuid:pk>/", panels.invoice_panel, name="invoice_panel"),
    path("emails/of/invoice/<uuid:pk>/stop/", reminders.reminders_stop, name="invoice_reminders_stop"),
    path("emails/of/invoice/<uuid:pk>/resume/", reminders.reminders_resume, name="invoice_reminders_resume"),
    path("today/emails/", today.needs, name="today_needs"),
    path("today/emails/soon/", today.soon, name="today_soon"),
    path("settings/studio/emails/reminders/", reminders.rule_add, name="rule_add"),
    path("settings/studio/emails/reminders/<uuid:pk>/remove/", reminders.rule_remove, name="rule_remove"),
    path("settings/studio/emails/", settings.settings, name="settings"),
    path("settings/studio/emails/templates/first/", settings.templates_first, name="templates_first"),
    path("settings/studio/emails/templates/add/", settings.template_add, name="template_add"),
    path("settings/studio/emails/templates/<uuid:pk>/", settings.template_edit, name="template_edit"),
    path("settings/studio/emails/templates/<uuid:pk>/archive/", settings.template_archive, name="template_archive"),
    path("settings/studio/emails/account/", settings.account, name="account"),
    path("settings/studio/emails/account/remove/", settings.account_remove, name="account_remove"),
]

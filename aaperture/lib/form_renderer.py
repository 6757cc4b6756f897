"""How forms become HTML: our two templates, found through the project's template engine."""

from django.forms.renderers import TemplatesSetting


class FormRenderer(TemplatesSetting):
    """`FORM_RENDERER`; needs "django.forms" among the installed apps for the widgets' own templates."""

    form_template_name = "forms/form.html"
    field_template_name = "forms/field.html"

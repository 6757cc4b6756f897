"""Addresses of one document's pages, whichever of the three it is."""

from typing import Any

from django import template
from django.urls import reverse

register = template.Library()


@register.simple_tag
def page_of(document: Any, act: str = "") -> str:
    """`{% page_of row %}` is its page, `{% page_of row "pdf" %}` one of the pages below it."""
    name = str(document._meta.model_name)
    return reverse(f"documents:{name}_{act}" if act else f"documents:{name}", args=[document.pk])

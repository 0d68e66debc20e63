"""How amounts are shown to people."""

from __future__ import annotations

from django import template
from django.contrib.humanize.templatetags.humanize import intcomma
from django.template.defaultfilters import filesizeformat

from voices.models import Measure
from voices.pricing import in_yuan, shown
from voices.standing import Reading

register = template.Library()


@register.filter
def amount_used(reading: Reading) -> str:
    return _amount(reading.measure, reading.used)


@register.filter
def amount_limit(reading: Reading) -> str:
    return _amount(reading.measure, reading.limit or 0)


register.filter("yuan", shown)


def _amount(measure: Measure, amount: int) -> str:
    if measure is Measure.STORAGE:
        return str(filesizeformat(amount))
    return shown(in_yuan(amount)) if measure is Measure.COST else str(intcomma(amount))

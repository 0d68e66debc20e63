"""How amounts are shown to people."""

from __future__ import annotations

from decimal import Decimal

from django import template
from django.contrib.humanize.templatetags.humanize import intcomma
from django.template.defaultfilters import filesizeformat

from voices.models import Measure
from voices.pricing import in_yuan
from voices.standing import Reading

register = template.Library()


@register.filter
def amount_used(reading: Reading) -> str:
    return _amount(reading.measure, reading.used)


@register.filter
def amount_limit(reading: Reading) -> str:
    return _amount(reading.measure, reading.limit or 0)


@register.filter
def yuan(cost: Decimal) -> str:
    """To a hundredth where there is that much, and to the first digits that count below that: ¥12.50, ¥0.0015."""
    return f"¥{cost:,.2f}" if cost >= 1 or not cost else f"¥{cost.quantize(Decimal('0.0001')):f}"


def _amount(measure: Measure, amount: int) -> str:
    if measure is Measure.STORAGE:
        return str(filesizeformat(amount))
    return yuan(in_yuan(amount)) if measure is Measure.COST else str(intcomma(amount))

"""What a webhook needs. Shape only; where it may lead is for the service to say."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from voices.models import WebhookEvent


class WebhookForm(forms.Form):
    url = forms.CharField(
        label=_("Address"),
        max_length=500,
        help_text=_("Begins with https:// and leads to the public internet."),
        widget=forms.URLInput(attrs={"placeholder": "https://example.com/hooks"}),
    )
    events = forms.MultipleChoiceField(
        label=_("What it is told"),
        choices=WebhookEvent.choices,
        widget=forms.CheckboxSelectMultiple,
        initial=WebhookEvent.values,
    )

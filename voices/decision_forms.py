"""What an operator has to say with a decision."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class FoundForm(forms.Form):
    remote_id = forms.CharField(
        label=_("id at the provider"), max_length=200, help_text=_("Exactly as the provider's console shows it.")
    )

"""What an operator may set for one person. Empty is as in the plan."""

from __future__ import annotations

from django import forms

from voices import plans
from voices.models import Allowance


class AllowanceForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Allowance
        fields = ["plan", *plans.USER_LIMITS]

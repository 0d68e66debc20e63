"""What somebody may say about themselves, and what a new API token needs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import AddEmailForm
from allauth.account.internal.userkit import filter_users_by_email
from django import forms
from django.conf import settings
from django.forms.models import fields_for_model
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import get_language_info
from django.utils.translation import gettext_lazy as _

from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.accounts.scopes import Scope
from voices import plans


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    language = forms.ChoiceField(label=_("Language"), required=False)

    class Meta:
        model = User
        fields = ["display_name", "language"]
        labels = {"display_name": _("Name")}
        help_texts = {"display_name": _("How this site addresses you. Nobody else sees it.")}

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        language = self.fields["language"]
        assert isinstance(language, forms.ChoiceField)
        own_names = [(code, get_language_info(code)["name_local"]) for code, _name in settings.LANGUAGES]
        language.choices = [("", _("As the browser asks")), *own_names]


class TokenForm(forms.Form):
    LIFETIMES = [("30", _("30 days")), ("90", _("90 days")), ("365", _("1 year")), ("", _("Never"))]

    name = forms.CharField(
        label=_("Name"), max_length=60, help_text=_("What will use it, so that you know which one to revoke.")
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"), choices=Scope.choices, widget=forms.CheckboxSelectMultiple, initial=Scope.values
    )
    lifetime = forms.ChoiceField(label=_("Expires after"), choices=LIFETIMES, initial="90", required=False)

    addresses = forms.CharField(
        label=_("Only from these addresses"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Addresses or networks such as 192.0.2.0/24, one a line. Empty: from everywhere."),
    )
    requests_per_minute = forms.IntegerField(
        label=_("Requests a minute"), required=False, help_text=_("Empty: as many as this site allows.")
    )

    def __init__(self, data: QueryDict | None = None, *, scopes: list[tuple[str, Any]]) -> None:
        """`scopes`: what this person's tokens may be given, value and label."""
        super().__init__(data)
        offered = self.fields["scopes"]
        assert isinstance(offered, forms.MultipleChoiceField)
        offered.choices = scopes
        self.fields.update(fields_for_model(ApiToken, fields=plans.TOKEN_LIMITS))

    def wanted(self) -> dict[str, Any]:
        """For `issue_token`."""
        given = self.cleaned_data
        return {
            "name": given["name"],
            "scopes": given["scopes"],
            "expires_at": self.expires_at(),
            "addresses": given["addresses"].split(),
            "requests_per_minute": given["requests_per_minute"],
            **{name: given[name] for name in plans.TOKEN_LIMITS},
        }

    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["lifetime"]
        return timezone.now() + timedelta(days=int(days)) if days else None


class BudgetForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = ApiToken
        fields = plans.TOKEN_LIMITS


class AddressForm(AddEmailForm):  # type: ignore[misc]
    def clean_email(self) -> str:
        """allauth would take somebody else's address, and fail on our unique column once it becomes the one to log in with."""
        email: str = super().clean_email()
        if any(user.pk != self.user.pk for user in filter_users_by_email(email)):
            raise get_adapter().validation_error("email_taken")
        return email

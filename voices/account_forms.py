"""The form of a provider account. Which credentials and addresses there are is read from Traits; what is stored is never shown."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.validators import MinValueValidator, URLValidator
from django.utils.translation import gettext_lazy as _

from voices import plans
from voices.models import ProviderAccount
from voices.providers import registry
from voices.providers.base import Account
from voices.providers.errors import ConfigurationError

SLOWEST = 0.01
"""Calls a second. Nothing would ever leave at 0: whoever wants that closes the account."""
ADDRESS = URLValidator(schemes=["http", "https", "ws", "wss"])


class AccountForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = ProviderAccount
        fields = [
            "provider",
            "name",
            "is_open",
            *plans.ACCOUNT_LIMITS,
            *plans.ACCOUNT_PRICES,
            "enrollment_rate",
            "synthesis_rate",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("enrollment_rate", "synthesis_rate"):
            self.fields[name].validators.append(MinValueValidator(SLOWEST))
        account = self.instance
        if account.pk is None:
            return
        self.fields["provider"].disabled = True
        for name in account.traits.credential_names:
            stored = bool(account.credentials.get(name))
            self.fields[credential_field(account.provider, name)].help_text = (
                _("One is stored. Leave this empty to keep it.") if stored else _("None is stored.")
            )
        for name in account.traits.endpoint_names:
            self.fields[endpoint_field(account.provider, name)].initial = account.endpoints.get(name, "")
        if account.origin != ProviderAccount.Origin.ADMIN:
            # Whatever was entered here would be overwritten at the next start.
            for field in secret_and_address_fields(account.provider):
                self.fields[field].disabled = True
                self.fields[field].help_text = _("From the environment: change it there, then restart.")

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        slug = given.get("provider")
        if not slug or self.errors:
            return given
        traits = registry.traits(slug)
        account = self.instance
        if account.pk is None or account.origin == ProviderAccount.Origin.ADMIN:
            account.credentials = {
                name: given.get(credential_field(slug, name)) or account.credentials.get(name, "")
                for name in traits.credential_names
            }
            account.endpoints = {name: given.get(endpoint_field(slug, name), "") for name in traits.endpoint_names}
            self._check(account, slug)
        return given

    def _check(self, account: ProviderAccount, slug: str) -> None:
        """What is missing is said at its field; what could never be sent, such as a key with a line break, on top."""
        traits = registry.traits(slug)
        complete = True
        for name in traits.credential_names:
            if not account.credentials[name]:
                complete = False
                self.add_error(credential_field(slug, name), _("This provider needs it."))
        for name in traits.endpoint_names:
            if not account.endpoints[name]:
                complete = False
                self.add_error(endpoint_field(slug, name), _("This provider needs it."))
        if complete:
            try:
                registry.build(slug, Account("unsaved", credentials=account.credentials, endpoints=account.endpoints))
            except ConfigurationError:
                self.add_error(None, _("These credentials cannot be right: check for spaces and line ends."))


def account_form(account: ProviderAccount | None) -> type[AccountForm]:
    """The form with the inputs of this account's provider; of every provider for an account that is yet to be."""
    inputs: dict[str, forms.Field] = {}
    for slug in (account.provider,) if account else registry.slugs():
        traits = registry.traits(slug)
        known = settings.PROVIDERS.get(slug, {}).get("endpoints", {})
        for name in traits.credential_names:
            inputs[credential_field(slug, name)] = forms.CharField(
                label=f"{traits.label} · {name}",
                required=False,
                max_length=500,
                widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "vTextField"}),
            )
        for name in traits.endpoint_names:
            inputs[endpoint_field(slug, name)] = forms.CharField(
                label=f"{traits.label} · {name}",
                required=False,
                max_length=500,
                initial=known.get(name, ""),
                validators=[ADDRESS],
                widget=forms.TextInput(attrs={"class": "vTextField"}),
            )
    return type("AccountForm", (AccountForm,), inputs)


def secret_and_address_fields(slug: str) -> list[str]:
    traits = registry.traits(slug)
    return [credential_field(slug, name) for name in traits.credential_names] + [
        endpoint_field(slug, name) for name in traits.endpoint_names
    ]


def credential_field(slug: str, name: str) -> str:
    return f"{slug}_credential_{name}"


def endpoint_field(slug: str, name: str) -> str:
    return f"{slug}_endpoint_{name}"

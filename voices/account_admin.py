"""Provider accounts for operators: all of them but their secrets, and whether calls leave."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from voices import circuit, plans, reconciling, trying
from voices.account_forms import account_form, secret_and_address_fields
from voices.asking import AskingAdmin
from voices.errors import PortalError
from voices.evidence import EvidenceAdmin
from voices.failures import shown
from voices.models import ProviderAccount, RateBucket
from voices.providers import registry
from voices.providers.errors import ProviderError

GUARD = [
    "circuit",
    "circuit_failures",
    "circuit_since",
    "circuit_next_at",
    "circuit_code",
    "circuit_detail",
    "paused_at",
    "paused_because",
]


@admin.register(ProviderAccount)
class ProviderAccountAdmin(AskingAdmin):
    list_display = [
        "__str__",
        "origin",
        "is_open",
        "circuit",
        "paused_at",
        "voices_held",
        "voice_cap",
        "enrollment_rate",
        "synthesis_rate",
    ]
    list_filter = ["provider", "origin", "is_open", "circuit"]
    search_fields = ["name"]
    readonly_fields = ["origin", "voices_held", "created_at", "updated_at", "why", *GUARD]
    actions = ["test_credentials", "pause", "resume", "try_now", "compare", "close", "open"]
    fits = {
        "pause": lambda account: not account.is_paused,
        "resume": lambda account: account.is_paused,
        "try_now": lambda account: account.circuit != ProviderAccount.Circuit.CLOSED,
        "close": lambda account: account.is_open,
        "open": lambda account: not account.is_open,
    }

    def get_form(
        self, request: HttpRequest, obj: ProviderAccount | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        return account_form(obj)

    def get_fieldsets(self, request: HttpRequest, obj: ProviderAccount | None = None) -> Any:
        slugs = (obj.provider,) if obj else registry.slugs()
        secrets = [(_("Credentials and base URLs"), {"fields": secret_and_address_fields(slug)}) for slug in slugs]
        guard = [(_("Whether calls leave"), {"fields": [*GUARD, "why"]})] if obj else []
        dates = [(_("Dates"), {"fields": ["created_at", "updated_at"]})] if obj else []
        return [
            (None, {"fields": ["provider", "name", "is_open", *(["origin"] if obj else [])]}),
            *secrets,
            (
                _("What it may use"),
                {
                    "fields": [
                        "voice_cap",
                        *(["voices_held"] if obj else []),
                        "trainings_per_day",
                        "characters_per_day",
                        "spend_per_day",
                        "enrollment_rate",
                        "synthesis_rate",
                    ]
                },
            ),
            (_("Prices"), {"fields": ["character_price", "training_price"]}),
            *guard,
            *dates,
        ]

    @admin.display(description=_("what the provider did"))
    def why(self, account: ProviderAccount) -> str:
        return shown(account.circuit_sentence) or "-"

    def save_model(self, request: HttpRequest, obj: ProviderAccount, form: Any, change: bool) -> None:
        """Limits and prices go through `plans`, which keeps who changed them and tells the meters.

        What an operator has put right is tried at once.
        """
        names = [name for name in (*plans.ACCOUNT_LIMITS, *plans.ACCOUNT_PRICES) if name in form.changed_data]
        wanted = {name: getattr(obj, name) for name in names}
        if change:
            for name, before in ProviderAccount.objects.filter(pk=obj.pk).values(*names)[0].items() if names else ():
                setattr(obj, name, before)
        if change:
            # Never the whole row: places and circuit move while the form is open.
            obj.save(
                update_fields=[
                    field.name for field in obj._meta.concrete_fields if field.editable and not field.primary_key
                ]
            )
        else:
            super().save_model(request, obj, form, change)
        if change and wanted:
            plans.change_account(obj, by=request.user, **wanted)
        circuit.try_now(obj)

    @admin.action(description=_("Test the credentials"), permissions=["change"])
    def test_credentials(self, request: HttpRequest, queryset: QuerySet[ProviderAccount]) -> None:
        for account in queryset:
            try:
                verdict = trying.try_credentials(account)
            except PortalError as error:
                self.message_user(request, f"{account}: {error.sentence}", messages.WARNING)
                continue
            level = messages.SUCCESS if verdict.believed else messages.ERROR
            self.message_user(request, f"{account}: {verdict.sentence}", level)

    @admin.action(description=_("Pause: no call leaves, and everything waits"), permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[ProviderAccount]) -> None:
        self._guard(request, queryset, partial(circuit.pause, because=str(request.user)), done=_("Paused"))

    @admin.action(description=_("Resume after a pause"), permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[ProviderAccount]) -> None:
        self._guard(request, queryset, circuit.resume, done=_("Calls leave again"))

    @admin.action(description=_("Try the provider now"), permissions=["change"])
    def try_now(self, request: HttpRequest, queryset: QuerySet[ProviderAccount]) -> None:
        self._guard(request, queryset, circuit.try_now, done=_("The next call is tried"))

    @admin.action(description=_("Compare the provider's list with ours"), permissions=["change"])
    def compare(self, request: HttpRequest, queryset: QuerySet[ProviderAccount]) -> None:
        for account in queryset:
            try:
                comparison = reconciling.run(account)
            except (PortalError, ProviderError) as error:
                self.message_user(request, f"{account}: {error.sentence}", messages.WARNING)
                continue
            said = ngettext("%(found)d finding", "%(found)d findings", len(comparison.disagreements))
            listed = (
                "" if comparison.listed else gettext("This provider cannot list; only our own rows were looked at.")
            )
            self.message_user(request, f"{account}: {said % {'found': len(comparison.disagreements)}} {listed}")

    def _guard(
        self,
        request: HttpRequest,
        accounts: QuerySet[ProviderAccount],
        act: Callable[[ProviderAccount], bool],
        *,
        done: Any,
    ) -> None:
        for account in accounts:
            if act(account):
                self.log_change(request, account, str(done))
                self.message_user(request, f"{account}: {done}")
            else:
                unchanged = _("Nothing had to be changed.")
                self.message_user(request, f"{account}: {unchanged}", messages.WARNING)

    @admin.action(description=_("Close: no new voices; existing ones go on"), permissions=["change"])
    def close(self, request: HttpRequest, queryset: QuerySet[ProviderAccount]) -> None:
        self._turn(request, queryset, is_open=False)

    @admin.action(description=_("Open for new voices"), permissions=["change"])
    def open(self, request: HttpRequest, queryset: QuerySet[ProviderAccount]) -> None:
        self._turn(request, queryset, is_open=True)

    def _turn(self, request: HttpRequest, accounts: QuerySet[ProviderAccount], *, is_open: bool) -> None:
        done = _("Open for new voices") if is_open else _("Closed for new voices")
        for account in accounts:
            ProviderAccount.objects.filter(pk=account.pk).update(is_open=is_open)
            self.log_change(request, account, str(done))
            self.message_user(request, f"{account}: {done}")


@admin.register(RateBucket)
class RateBucketAdmin(EvidenceAdmin):
    """Account and operation, and when the next call of that kind may leave (seconds since 1970)."""

    list_display = ["key", "next_at"]
    fields = ["key", "next_at"]

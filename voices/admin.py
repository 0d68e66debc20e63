"""Voices and provider accounts for operators."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from voices import circuit, deciding, plans, quota_admin, reconciling, services, stock, trying, webhook_admin
from voices.account_forms import account_form, secret_and_address_fields
from voices.asking import AskingAdmin, Question
from voices.decision_forms import FoundForm
from voices.errors import PortalError, WrongState
from voices.evidence import EvidenceAdmin, EvidenceInline, WhoMustActFilter, ticket_field
from voices.failures import shown
from voices.finding_admin import FindingAdmin
from voices.models import (
    ProviderAccount,
    QueueHeartbeat,
    RateBucket,
    VoiceClone,
    VoiceConsent,
    VoiceEvent,
    VoiceSample,
)
from voices.narration import what_happened
from voices.providers import registry
from voices.providers.errors import ProviderError

__all__ = ["FindingAdmin", "quota_admin", "webhook_admin"]  # registered by being imported

State = VoiceClone.State
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


class SampleInline(EvidenceInline):
    model = VoiceSample
    fields = ["filename", "container", "seconds", "sample_rate", "channels", "size", "created_at", "erased_at"]


class ConsentInline(EvidenceInline):
    model = VoiceConsent
    fields = ["user", "sample", "version", "language", "channel", "address", "accepted_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[VoiceConsent]:
        return super().get_queryset(request).select_related("user", "sample")


class EventInline(EvidenceInline):
    model = VoiceEvent
    fields = ["at", "what", "kind", "from_state", "to_state", "detail"]

    @admin.display(description=_("what happened"))
    def what(self, event: VoiceEvent) -> str:
        return str(what_happened(event))


@admin.register(VoiceClone)
class VoiceCloneAdmin(EvidenceAdmin):
    """A voice's state is moved by the services alone: here one asks them to."""

    list_display = [
        "name",
        "state",
        "error_code",
        "created_at",
        "owner",
        "account",
        "provider_state",
        "due_at",
        "kind",
        "model",
    ]
    list_select_related = ["owner", "account"]
    list_filter = ["state", "kind", "created_at", "provider", "account", WhoMustActFilter]
    search_fields = ["^name", "owner__email", "=remote_id", "=tag", "=id", "=provider_request_id"]
    search_help_text = _(
        "Id here or at the provider, the provider's request id, or how the name or the owner's e-mail address begins"
    )
    csv_newest_by = "created_at"
    csv_columns = [
        *[
            "id",
            "name",
            "created_at",
            "owner__email",
            "kind",
            "provider",
            "account__name",
            "model",
            "language",
            "state",
        ],
        *["remote_id", "tag", "provider_state", "ready_at", "spoken_at", "holds_slot"],
        *["error_code", "error_provider_code", "error_action", "provider_request_id"],
    ]
    fieldsets = [
        (None, {"fields": ["id", "name", "owner", "state", "due_at", "attempts", "deadline"]}),
        (
            _("At the provider"),
            {
                "fields": [
                    "account",
                    "model",
                    "language",
                    "options",
                    "remote_id",
                    "tag",
                    "provider_state",
                    "provider_request_id",
                    "demo_url",
                    "holds_slot",
                ]
            },
        ),
        (
            _("What went wrong"),
            {"fields": ["error_code", "sentence", "error_detail", "error_provider_code", "error_action", "ticket"]},
        ),
        (_("In work"), {"fields": ["intent", "intent_at", "lease_until", "looks", "polled_at"]}),
        (_("Dates"), {"fields": ["created_at", "updated_at", "ready_at", "spoken_at"]}),
    ]
    inlines = [SampleInline, ConsentInline, EventInline]
    actions = [
        *["poll_now", "train_again", "look_it_up", "it_was_made", "nothing_happened"],
        *["delete_at_provider", "withdraw", "offer_again"],
    ]
    fits = {
        "poll_now": lambda voice: voice.in_progress,
        "train_again": services.may_retrain,
        "look_it_up": deciding.may_be_doubted,
        "it_was_made": deciding.is_undecided,
        "nothing_happened": deciding.is_undecided,
        "delete_at_provider": lambda voice: not voice.is_stock and voice.state != State.DELETED,
        "withdraw": lambda voice: voice.is_stock and voice.is_ready,
        "offer_again": lambda voice: voice.is_stock and not voice.is_ready,
    }
    asks_first = {
        "train_again": Question(
            _("Each takes a training of its owner's and of the account's, which the provider may charge for.")
        ),
        "look_it_up": Question(
            _(
                "Nothing goes on until the provider has been asked what it has. Where it cannot be asked, you will have to say."
            )
        ),
        "it_was_made": Question(
            _("You have found the voice in the provider's console. It is asked about by this id from now on."),
            FoundForm,
        ),
        "nothing_happened": Question(
            _(
                "You have looked into the provider's console, and no voice was made. The recording is handed over anew, "
                "which costs a training if you are wrong."
            )
        ),
        "delete_at_provider": Question(
            _("They are gone for their owners at once, and deleted at the provider. This cannot be undone.")
        ),
    }

    @admin.display(description=_("what happened"))
    def sentence(self, voice: VoiceClone) -> str:
        return shown(voice.error_sentence) or "-"

    @admin.display(description=_("for the provider's support"))
    def ticket(self, voice: VoiceClone) -> str:
        return ticket_field(voice)

    @admin.action(description=_("Ask the provider now"), permissions=["change"])
    def poll_now(self, request: HttpRequest, queryset: QuerySet[VoiceClone]) -> None:
        self.each_by_itself(request, queryset, _poll, done=_("The provider will be asked now."))

    @admin.action(description=_("Train again from the same recording"), permissions=["change"])
    def train_again(self, request: HttpRequest, queryset: QuerySet[VoiceClone]) -> None:
        self.each_by_itself(request, queryset, services.retrain, done=_("It will be trained again."))

    @admin.action(description=_("Look up at the provider before going on"), permissions=["change"])
    def look_it_up(self, request: HttpRequest, queryset: QuerySet[VoiceClone]) -> None:
        act = partial(deciding.look_it_up, by=str(request.user))
        self.each_by_itself(request, queryset, act, done=_("It is looked up before anything goes on."))

    @admin.action(description=_("Decide: it was made, under this id"), permissions=["change"])
    def it_was_made(self, request: HttpRequest, queryset: QuerySet[VoiceClone]) -> None:
        act = partial(deciding.it_was_made, remote_id=request.POST["remote_id"], by=str(request.user))
        self.each_by_itself(request, queryset, act, done=_("It is the voice's own; the provider is asked about it."))

    @admin.action(description=_("Decide: nothing was made"), permissions=["change"])
    def nothing_happened(self, request: HttpRequest, queryset: QuerySet[VoiceClone]) -> None:
        act = partial(deciding.nothing_happened, by=str(request.user))
        self.each_by_itself(request, queryset, act, done=_("The recording is handed over anew."))

    @admin.action(description=_("Delete here and at the provider"), permissions=["change"])
    def delete_at_provider(self, request: HttpRequest, queryset: QuerySet[VoiceClone]) -> None:
        self.each_by_itself(request, queryset, _delete, done=_("It is being deleted at the provider."))

    @admin.action(description=_("Withdraw stock voices: nobody may speak with them"), permissions=["change"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[VoiceClone]) -> None:
        self.each_by_itself(request, queryset, _withdraw, done=_("It is no longer offered."))

    @admin.action(description=_("Offer stock voices again"), permissions=["change"])
    def offer_again(self, request: HttpRequest, queryset: QuerySet[VoiceClone]) -> None:
        self.each_by_itself(request, queryset, _offer_again, done=_("It is offered again."))


def _withdraw(voice: VoiceClone) -> None:
    if not stock.withdraw(voice):
        raise WrongState(_("This is no stock voice that is offered."))


def _offer_again(voice: VoiceClone) -> None:
    if not stock.offer_again(voice):
        raise WrongState(_("This is no stock voice that was withdrawn."))


def _poll(voice: VoiceClone) -> None:
    if not voice.in_progress:
        raise WrongState(_("Nothing is under way for this voice, so there is nothing to ask."))
    services.poll_now(voice)


def _delete(voice: VoiceClone) -> None:
    if voice.state == VoiceClone.State.DELETED:
        raise WrongState(_("This voice is already deleted."))
    services.request_delete(voice)


@admin.register(VoiceSample)
class VoiceSampleAdmin(EvidenceAdmin):
    """The recordings themselves are not handed out here."""

    list_display = ["__str__", "voice", "container", "seconds", "sample_rate", "size", "created_at", "erased_at"]
    list_select_related = ["voice"]
    list_filter = ["created_at"]
    search_fields = ["=voice", "=sha256", "voice__owner__email"]
    fields = [
        "voice",
        "filename",
        "size",
        "sha256",
        "container",
        "seconds",
        "sample_rate",
        "channels",
        "measurements",
        "findings",
        "created_at",
        "erased_at",
    ]


@admin.register(VoiceConsent)
class VoiceConsentAdmin(EvidenceAdmin):
    list_display = ["user", "voice", "version", "language", "channel", "address", "accepted_at"]
    list_select_related = ["user", "voice"]
    list_filter = ["accepted_at", "channel"]
    search_fields = ["user__email", "=voice", "=address"]
    fields = [
        "user",
        "voice",
        "sample",
        "statement",
        "version",
        "language",
        "channel",
        "address",
        "user_agent",
        "accepted_at",
    ]


@admin.register(VoiceEvent)
class VoiceEventAdmin(EvidenceAdmin):
    list_display = ["at", "row", "kind", "from_state", "to_state"]
    list_select_related = ["row"]
    search_fields = ["=row__id"]
    ordering = ["-id"]
    fields = ["row", "at", "kind", "from_state", "to_state", "detail"]


@admin.register(RateBucket)
class RateBucketAdmin(EvidenceAdmin):
    """Account and operation, and when the next call of that kind may leave (seconds since 1970)."""

    list_display = ["key", "next_at"]
    fields = ["key", "next_at"]


@admin.register(QueueHeartbeat)
class QueueHeartbeatAdmin(EvidenceAdmin):
    list_display = ["queue", "beat_at"]
    fields = ["queue", "beat_at"]

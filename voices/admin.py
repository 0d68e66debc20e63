"""Voices for operators, and what belongs to them: recordings, consents, history."""

from __future__ import annotations

from functools import partial

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from voices import account_admin, deciding, finding_admin, quota_admin, services, stock, webhook_admin
from voices.asking import Question
from voices.decision_forms import FoundForm
from voices.errors import WrongState
from voices.evidence import EvidenceAdmin, EvidenceInline, WhoMustActFilter, ticket_field
from voices.failures import shown
from voices.models import QueueHeartbeat, VoiceClone, VoiceConsent, VoiceEvent, VoiceSample
from voices.narration import what_happened

__all__ = ["account_admin", "finding_admin", "quota_admin", "webhook_admin"]  # registered by being imported

State = VoiceClone.State


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
        (_("Dates"), {"fields": ["created_at", "updated_at", "ready_at", "spoken_at", "repeats_since"]}),
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


@admin.register(QueueHeartbeat)
class QueueHeartbeatAdmin(EvidenceAdmin):
    list_display = ["queue", "beat_at"]
    fields = ["queue", "beat_at"]

"""Synthesis jobs for operators."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from synthesis import job_services, keeping_admin, services
from synthesis.models import JobEvent, SynthesisJob
from voices.asking import Question
from voices.evidence import EvidenceAdmin, EvidenceInline, WhoMustActFilter, ticket_field
from voices.failures import shown

__all__ = ["keeping_admin"]  # registered by being imported


class EventInline(EvidenceInline):
    model = JobEvent
    fields = ["at", "kind", "from_state", "to_state", "detail"]


@admin.register(SynthesisJob)
class SynthesisJobAdmin(EvidenceAdmin):
    """A job's state is moved by the services alone: here one asks them to. Its audio is its owner's, and not handed out here."""

    list_display = [
        "__str__",
        "state",
        "error_code",
        "created_at",
        "owner",
        "voice",
        "provider",
        "mode",
        "characters",
        "seconds",
        "first_audio_ms",
    ]
    list_select_related = ["owner", "voice"]
    list_filter = [
        "state",
        "created_at",
        "mode",
        "provider",
        "voice__account",
        WhoMustActFilter,
    ]
    search_fields = ["owner__email", "=id", "=voice", "=provider_request_id"]
    search_help_text = _(
        "Id of the job or its voice, the provider's request id, or how the owner's e-mail address begins"
    )
    csv_newest_by = "created_at"
    # Not the text: it goes only where its owner asked for it to go.
    csv_columns = [
        *["id", "created_at", "owner__email", "voice", "provider", "model", "mode", "state", "audio_format"],
        *["characters", "seconds", "audio_bytes", "first_audio_ms", "started_at", "finished_at", "repeat_of"],
        *["error_code", "error_provider_code", "error_action", "provider_request_id"],
    ]
    fieldsets = [
        (None, {"fields": ["id", "owner", "voice", "state", "mode", "text"]}),
        (
            _("How it is spoken"),
            {"fields": ["provider", "model", "audio_format", "sample_rate", "options", "characters_expected"]},
        ),
        (
            _("What came of it"),
            {"fields": ["characters", "audio_bytes", "seconds", "first_audio_ms", "provider_request_id", "repeat_of"]},
        ),
        (
            _("What went wrong"),
            {"fields": ["error_code", "sentence", "error_detail", "error_provider_code", "error_action", "ticket"]},
        ),
        (
            _("In work"),
            {"fields": ["due_at", "attempts", "intent", "intent_at", "lease_until", "cancel_requested_at"]},
        ),
        (_("Dates"), {"fields": ["created_at", "updated_at", "started_at", "finished_at", "deleted_at"]}),
    ]
    inlines = [EventInline]
    actions = ["take_up_now", "cancel", "speak_again"]
    fits = {
        "take_up_now": lambda job: job.in_progress,
        "cancel": lambda job: job.in_progress,
        "speak_again": lambda job: not job.in_progress,
    }
    asks_first = {
        "cancel": Question(_("They are stopped. What has been spoken until then is counted, and cannot be heard.")),
        "speak_again": Question(
            _("Each is spoken once more, as a new job that its owner pays for with their characters.")
        ),
    }

    def get_queryset(self, request: HttpRequest) -> QuerySet[SynthesisJob]:
        """Without the word times: tens of kilobytes a row that nobody looks at here."""
        return super().get_queryset(request).defer("marks")

    @admin.display(description=_("what happened"))
    def sentence(self, job: SynthesisJob) -> str:
        return shown(job.error_sentence) or "-"

    @admin.display(description=_("for the provider's support"))
    def ticket(self, job: SynthesisJob) -> str:
        return ticket_field(job)

    @admin.action(description=_("Take up now"), permissions=["change"])
    def take_up_now(self, request: HttpRequest, queryset: QuerySet[SynthesisJob]) -> None:
        self.each_by_itself(request, queryset, services.take_up_now, done=_("It will be taken up now."))

    @admin.action(description=_("Cancel"), permissions=["change"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[SynthesisJob]) -> None:
        self.each_by_itself(request, queryset, services.cancel, done=_("It is being cancelled."))

    @admin.action(description=_("Speak again, as a new job"), permissions=["change"])
    def speak_again(self, request: HttpRequest, queryset: QuerySet[SynthesisJob]) -> None:
        jobs = queryset.select_related("owner", "voice__account")
        self.each_by_itself(request, jobs, job_services.retry, done=_("It will be spoken again."))


@admin.register(JobEvent)
class JobEventAdmin(EvidenceAdmin):
    list_display = ["at", "row_id", "kind", "from_state", "to_state"]
    search_fields = ["=row__id"]
    ordering = ["-id"]
    fields = ["row", "at", "kind", "from_state", "to_state", "detail"]

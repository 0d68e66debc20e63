"""Synthesis jobs for operators."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from synthesis import job_services, services
from synthesis.models import JobEvent, SynthesisJob
from voices.evidence import EvidenceAdmin, EvidenceInline, ticket_field
from voices.failures import shown


class EventInline(EvidenceInline):
    model = JobEvent
    fields = ["at", "kind", "from_state", "to_state", "detail"]


@admin.register(SynthesisJob)
class SynthesisJobAdmin(EvidenceAdmin):
    """A job's state is moved by the services alone: here one asks them to. Its audio is its owner's, and not handed out here."""

    list_display = [
        "__str__",
        "owner",
        "voice",
        "state",
        "mode",
        "provider",
        "characters",
        "seconds",
        "first_audio_ms",
        "error_code",
        "created_at",
    ]
    list_select_related = ["owner", "voice"]
    list_filter = [
        "state",
        "created_at",
        "mode",
        "provider",
        "error_action",
        ("deleted_at", admin.EmptyFieldListFilter),
    ]
    search_fields = ["owner__email", "voice__name", "=id", "=provider_request_id"]
    fieldsets = [
        (None, {"fields": ["id", "owner", "voice", "state", "mode", "text"]}),
        (
            _("How it is spoken"),
            {"fields": ["provider", "model", "audio_format", "sample_rate", "options", "characters_expected"]},
        ),
        (
            _("What came of it"),
            {"fields": ["characters", "audio_bytes", "seconds", "first_audio_ms", "provider_request_id"]},
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
    actions = ["cancel", "speak_again"]

    @admin.display(description=_("what happened"))
    def sentence(self, job: SynthesisJob) -> str:
        return shown(job.error_sentence)

    @admin.display(description=_("for the provider's support"))
    def ticket(self, job: SynthesisJob) -> str:
        return ticket_field(job)

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
    search_fields = ["kind", "=row__id"]
    ordering = ["-id"]
    fields = ["row", "at", "kind", "from_state", "to_state", "detail"]

"""How a voice speaks, as rows."""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from voices import webhooks
from voices.durable import DurableQuerySet, DurableRow, EventRow
from voices.models import Owner, VoiceClone, WebhookEvent, provider_choices


class JobQuerySet(DurableQuerySet["SynthesisJob"]):
    def visible_to(self, user: Owner) -> JobQuerySet:
        return self.filter(owner=user, deleted_at__isnull=True)


def audio_path(job: SynthesisJob, filename: str) -> str:
    return f"speech/{job.created_at:%Y/%m/%d}/{job.pk}-{secrets.token_hex(8)}.{filename.rsplit('.', 1)[-1]}"


class SynthesisJob(DurableRow):
    """One text spoken by one voice: streamed to whoever asked, or spoken in the background."""

    class State(models.TextChoices):
        QUEUED = "Queued", _("Waiting")
        RUNNING = "Running", _("Speaking")
        SUCCESS = "Success", _("Done")
        FAILED = "Failed", _("Failed")
        CANCELLED = "Cancelled", _("Cancelled")

    class Mode(models.TextChoices):
        STREAM = "stream", _("streamed")
        BACKGROUND = "background", _("in the background")

    IN_PROGRESS = (State.QUEUED, State.RUNNING)

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="synthesis_jobs", verbose_name=_("owner")
    )
    voice = models.ForeignKey(
        VoiceClone,
        on_delete=models.PROTECT,
        # `job_voice_newest` begins with it.
        db_index=False,
        related_name="synthesis_jobs",
        verbose_name=_("voice"),
    )
    token = models.ForeignKey(
        settings.API_TOKEN_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("API token"),
    )
    provider = models.CharField(_("provider"), max_length=20, choices=provider_choices)
    model = models.CharField(_("model"), max_length=60)
    mode = models.CharField(_("mode"), max_length=12, choices=Mode.choices)
    state = models.CharField(_("state"), max_length=20, choices=State.choices, default=State.QUEUED)
    text = models.TextField(_("text"))
    options = models.JSONField(_("parameters"), default=dict, blank=True)
    audio_format = models.CharField(_("audio format"), max_length=10)
    sample_rate = models.PositiveIntegerField(_("sample rate, Hz"))
    characters_expected = models.PositiveIntegerField(_("characters expected"))
    characters = models.PositiveIntegerField(_("characters counted by the provider"), default=0)
    audio = models.FileField(_("audio"), upload_to=audio_path, max_length=200, blank=True)
    audio_bytes = models.PositiveBigIntegerField(_("bytes"), default=0)
    seconds = models.FloatField(_("seconds"), null=True, blank=True)
    marks = models.JSONField(_("word times"), default=list, blank=True)
    first_audio_ms = models.PositiveIntegerField(_("time to first audio, ms"), null=True, blank=True)
    cancel_requested_at = models.DateTimeField(_("cancellation asked for"), null=True, blank=True, editable=False)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("ended"), null=True, blank=True)
    deleted_at = models.DateTimeField(_("deleted by its owner"), null=True, blank=True, editable=False)
    batch = models.UUIDField(_("batch"), null=True, blank=True, editable=False)
    pieces = models.PositiveIntegerField(
        _("pieces"), default=0, editable=False, help_text=_("0: spoken in one go, and kept as the provider sent it.")
    )
    pieces_spoken = models.PositiveIntegerField(_("pieces spoken"), default=0, editable=False)
    repeat_key = models.UUIDField(
        null=True,
        blank=True,
        editable=False,
        help_text="What a repeat has to ask for (repeats.py); empty: nothing does.",
    )
    repeat_of = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        # Nearly all are empty, and an index of those would cost each row that is written.
        db_index=False,
        related_name="repeats",
        verbose_name=_("repeats"),
        help_text=_("The job whose kept audio this one was answered with: nothing was spoken, nothing was billed."),
    )

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("synthesis job")
        verbose_name_plural = _("synthesis jobs")
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["owner", "-created_at", "-id"], name="job_owner_newest"),
            models.Index(fields=["voice", "-created_at", "-id"], name="job_voice_newest"),
            models.Index(fields=["-created_at", "-id"], name="job_newest"),
            models.Index(fields=["state", "-created_at", "-id"], name="job_state_newest"),
            models.Index(
                fields=["error_action", "-created_at", "-id"],
                name="job_action_newest",
                condition=~models.Q(error_action=""),
            ),
            models.Index(
                fields=["provider_request_id"], name="job_request_id", condition=~models.Q(provider_request_id="")
            ),
            models.Index(fields=["due_at"], name="job_due", condition=models.Q(due_at__isnull=False)),
            models.Index(fields=["owner", "intent_at"], name="job_owner_served"),
            models.Index(
                fields=["batch", "-created_at", "-id"], name="job_batch", condition=models.Q(batch__isnull=False)
            ),
            # Its owner first, and in order: SQLite would take an index of all that has gone well for the better one.
            models.Index(
                fields=["owner", "repeat_key", "-created_at", "-id"],
                name="job_repeat_key",
                condition=models.Q(repeat_key__isnull=False),
            ),
            models.Index(fields=["repeat_of"], name="job_repeats", condition=models.Q(repeat_of__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.text[:40]

    @property
    def in_progress(self) -> bool:
        return self.state in self.IN_PROGRESS

    @property
    def is_repeat(self) -> bool:
        """Answered with another job's audio, whose file it shares and does not own."""
        return self.repeat_of_id is not None

    @property
    def has_audio(self) -> bool:
        return self.state == self.State.SUCCESS and bool(self.audio)

    @property
    def progress(self) -> float:
        """0 to 1: which share of its pieces has been spoken; of a job in one piece, whether it has been."""
        if self.state == self.State.SUCCESS:
            return 1.0
        return round(self.pieces_spoken / self.pieces, 3) if self.pieces else 0.0


def piece_path(piece: SpeechPiece, filename: str) -> str:
    return f"pieces/{piece.job_id}/{piece.number}-{secrets.token_hex(8)}.pcm"


class SpeechPiece(models.Model):
    """A part of a job's text, spoken and paid by itself; its sound waits here until all of them can be joined."""

    job = models.ForeignKey(SynthesisJob, on_delete=models.CASCADE, related_name="spoken_pieces")
    number = models.PositiveIntegerField(_("number"))
    text = models.TextField(_("text"))
    audio = models.FileField(_("audio"), upload_to=piece_path, max_length=200, blank=True)
    milliseconds = models.PositiveIntegerField(_("audio, ms"), default=0)
    characters = models.PositiveIntegerField(_("characters counted by the provider"), default=0)
    marks = models.JSONField(_("word times"), default=list, blank=True)
    spoken_at = models.DateTimeField(_("spoken"), null=True, blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="one_piece_of_each_number")]

    def __str__(self) -> str:
        return f"{self.number} · {self.text[:40]}"


class JobEvent(EventRow):
    row = models.ForeignKey(
        SynthesisJob, on_delete=models.CASCADE, related_name="events", verbose_name=_("synthesis job")
    )

    class Meta:
        ordering = ["at", "id"]
        verbose_name = _("synthesis event")
        verbose_name_plural = _("synthesis events")

    def __str__(self) -> str:
        return self.kind

    NEWS = {
        SynthesisJob.State.SUCCESS: WebhookEvent.JOB_DONE,
        SynthesisJob.State.FAILED: WebhookEvent.JOB_FAILED,
        SynthesisJob.State.CANCELLED: WebhookEvent.JOB_FAILED,
    }

    def announce(self) -> None:
        """Only of what was spoken in the background: whoever listened to a stream knows how it ended."""
        news = self.NEWS.get(SynthesisJob.State(self.to_state))
        if news is not None and self.row.mode == SynthesisJob.Mode.BACKGROUND:
            webhooks.emit(self.row.owner_id, news, lambda: told_of_job(SynthesisJob.objects.get(pk=self.row_id)))


def told_of_job(job: SynthesisJob) -> dict[str, Any]:
    """What a message says of a job, by the names of the API. Never the text: it goes only where it was asked for."""
    return {
        "id": str(job.pk),
        "voice": str(job.voice_id),
        "state": job.state,
        "format": job.audio_format,
        "characters": job.characters,
        "seconds": job.seconds,
        "error": webhooks.told_of_error(job),
    }

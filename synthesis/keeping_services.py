"""A voice that its provider would remove for being silent speaks one sign."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from synthesis.models import SynthesisJob
from synthesis.services import check, submit
from voices.errors import NotSupported, WrongState
from voices.findings import Finding
from voices.models import Owner, VoiceClone, VoiceEvent

TEXT = "1"


def is_forgotten(voice: VoiceClone) -> bool:
    """Whether its provider removes a voice that does not speak for long enough."""
    return voice.is_ready and not voice.is_stock and voice.traits.forgotten_after_days is not None


def keep_alive(voice: VoiceClone, *, asked_by: Owner) -> SynthesisJob:
    """Let it speak one sign, as a job of whoever asks: it costs them that sign, and the provider account what the sign costs.

    What says that the voice is idle is forgotten; the next comparison finds it again if the job comes to nothing.

    Raises NotSupported, WrongState while the voice is being spoken with, and as `check` and `record` do.
    """
    if voice.is_ready and not is_forgotten(voice):
        raise NotSupported(_("Its provider removes no voice for being silent, so there is nothing to keep alive."))
    if SynthesisJob.objects.filter(voice=voice, due_at__isnull=False).exists():
        raise WrongState(_("This voice is being spoken with just now, and its provider keeps it for that."))
    order = check(asked_by, voice=voice, text=TEXT)
    with transaction.atomic():
        job = submit(order)
        detail = {"by": str(asked_by), "job": str(job.pk)}
        VoiceEvent.objects.create(
            row=voice, kind="kept_alive", from_state=voice.state, to_state=voice.state, detail=detail
        )
        Finding.objects.filter(kind=Finding.Kind.IDLE, voice=voice).delete()
    return job

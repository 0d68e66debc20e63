"""Fetch the recording that a voice was ordered with by its address: a worker's step before the training."""

from __future__ import annotations

import io
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from django.conf import settings
from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone

from voices import failures, intake, ledger, outward, samples
from voices.durable import back_off, give_back, renew, wake, write_back
from voices.errors import Busy, SampleRefused
from voices.models import SampleSource, VoiceClone, VoiceEvent
from voices.outcomes import ADVANCE, LEASE, evidence, fail, too_late
from voices.outward import AddressRefused, OutwardFailed
from voices.providers.base import ReadingText
from voices.queues import Queue

SECONDS = 40.0
"""For the whole file, redirects included."""
ATTEMPTS = 4


class _Moved(Exception):
    """Its owner deleted the voice while the recording was being fetched."""


def is_owed(voice: VoiceClone) -> bool:
    return SampleSource.objects.filter(voice=voice).exists()


def fetch(voice: VoiceClone) -> None:
    """`voice` is claimed; its lease is given back with the outcome: due to be trained, to be fetched again, or failed in words."""
    if too_late(voice):
        return
    source = voice.source
    try:
        content = outward.fetch(source.url, seconds=SECONDS, max_bytes=settings.MAX_SAMPLE_BYTES)
        if not renew(voice, lease=LEASE):
            return
        inspection = samples.inspect(
            io.BytesIO(content), rules=voice.traits.sample, filename=PurePosixPath(urlsplit(source.url).path).name
        )
        samples.refuse(inspection)
    except (AddressRefused, SampleRefused) as refused:
        source.delete()
        fail(voice, refused)
    except OutwardFailed as error:
        if voice.attempts < ATTEMPTS:
            event = VoiceEvent(row=voice, kind="fetch_failed", detail=evidence(error))
            due_at = timezone.now() + back_off(voice.attempts)
            write_back(voice, event=event, due_at=due_at, **failures.kept(error))
        else:
            source.delete()
            fail(voice, error)
    except Busy as busy:
        write_back(
            voice, attempts=max(voice.attempts - 1, 0), due_at=timezone.now() + back_off(1, base=busy.retry_after)
        )
    else:
        _keep(voice, source, content, inspection)


def _keep(voice: VoiceClone, source: SampleSource, content: bytes, inspection: samples.Inspection) -> None:
    reading = ReadingText(source.reading_id, source.reading_text) if source.reading_id else None
    event = VoiceEvent(row=voice, kind="recording_fetched", detail={"bytes": inspection.size})
    try:
        files = intake.stored(voice, recording=ContentFile(content), inspection=inspection, reading=reading)
        with files as sample, transaction.atomic():
            intake.keep(voice, sample, consent=None)
            source.delete()
            # Its row before the meters: whoever ends a voice takes the locks in this order.
            if not write_back(voice, event=event, attempts=0, due_at=timezone.now(), **failures.CLEARED):
                raise _Moved
            ledger.add(ledger.recording(voice, voice.account, size=inspection.size))
            wake(ADVANCE, voice.pk, queue=Queue.SLOW)
    except _Moved:
        give_back(voice)

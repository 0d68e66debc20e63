"""How a recording is taken in: the original and what the provider gets are kept as files, its consent beside it as a row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.files.base import ContentFile, File
from django.utils import timezone

from voices.consent import VERSION, Consent
from voices.models import VoiceClone, VoiceConsent, VoiceSample
from voices.providers.base import ReadingText
from voices.samples import Inspection
from voices.storing import discard, store

# FFmpeg's names for a container, where they are not what people call such a file.
EXTENSIONS = {"matroska": "webm", "mov": "m4a"}


@contextmanager
def stored(
    voice: VoiceClone, *, recording: File[bytes], inspection: Inspection, reading: ReadingText | None = None
) -> Iterator[VoiceSample]:
    """The files of an inspected recording, and the row for them, which the block is to `keep`; removed again when it raises.

    They are stored before the block begins, for no transaction may wait for a storage. Raises StorageUnavailable.
    """
    sample = VoiceSample(
        voice=voice,
        filename=inspection.filename[:200],
        size=inspection.size,
        sha256=inspection.sha256,
        container=inspection.container,
        seconds=inspection.seconds,
        sample_rate=inspection.sample_rate,
        channels=inspection.channels,
        reading_id=reading.id if reading else "",
        reading_text=reading.text if reading else "",
        measurements=dict(inspection.measurements),
        findings=[finding.as_json() for finding in inspection.findings],
    )
    recording.seek(0)
    try:
        store(sample.original, f"original.{EXTENSIONS.get(inspection.container, inspection.container)}", recording)
        store(sample.prepared, "prepared.wav", ContentFile(inspection.prepared))
        yield sample
    except BaseException:
        for file in (sample.original, sample.prepared):
            if file.name:
                discard(file.storage, file.name)
        raise


def keep(voice: VoiceClone, sample: VoiceSample, *, consent: Consent | None) -> None:
    """The row of a stored recording, with the consent for it; None: it was given with the order."""
    sample.save()
    if consent is not None:
        keep_consent(voice, sample, consent)
    else:
        voice.consents.filter(sample=None).update(sample=sample)


def erase(sample: VoiceSample) -> None:
    """The recording goes; its row stays, as evidence of what was consented to."""
    sample.original.delete(save=False)
    sample.prepared.delete(save=False)
    sample.erased_at = timezone.now()
    sample.save()


def keep_consent(voice: VoiceClone, sample: VoiceSample | None, consent: Consent) -> None:
    assert voice.owner is not None, "a stock voice is nobody's recording"
    VoiceConsent.objects.create(
        user=voice.owner,
        voice=voice,
        sample=sample,
        recording=consent.recording,
        statement=consent.statement,
        version=VERSION,
        language=consent.language,
        channel=consent.channel,
        address=consent.address,
        user_agent=consent.user_agent,
    )

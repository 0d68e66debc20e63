"""A job whose text is spoken in several pieces, or whose format we make ourselves: each piece as PCM, and joined at the end.

    lay_out ─► speak_next (one piece a turn, so that a long text lets others through) ─► … ─► join

A piece is paid once: what has been spoken is stored before the job goes on, survives a failed job, and goes over to the job that
repeats it. Joining decodes nothing, so that neither a gap nor a click comes in between; encoding happens once, at the very end.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from django.conf import settings
from django.core.files import File
from django.db import transaction
from django.utils import timezone

from synthesis import audio, marks
from synthesis.counting import MOST_A_SECOND
from synthesis.cutting import SPOKEN_AS
from synthesis.errors import Cancelled, EmptySpeech
from synthesis.fading import ramped
from synthesis.models import JobEvent, SpeechPiece, SynthesisJob
from synthesis.streaming import INTENT, LEASE, RENEW_EVERY, request_of, watched
from voices import failures, ledger
from voices.durable import declare_intent, give_back, renew, write_back
from voices.errors import Fault, PortalError, StorageUnavailable
from voices.models import VoiceClone
from voices.providers import ws
from voices.providers.base import Audio, Done, Mark, Started, Usage
from voices.providers.errors import ProviderError, StreamBroken
from voices.storing import discard, store

if TYPE_CHECKING:
    from synthesis.encoder import Encoder

OPUS_RATE = 48_000
KEPT_FOR = timedelta(days=7)
"""How long the pieces of a job that failed wait to be used by another try."""
_CHUNK = 1 << 16

State = SynthesisJob.State


class PieceBroken(Exception):
    """A piece was not spoken to its end, or could not be kept. `characters` is what the provider had counted until then."""

    def __init__(self, error: ProviderError | PortalError, *, characters: int, request_id: str) -> None:
        super().__init__(str(error))
        self.error = error
        self.characters = characters
        self.request_id = request_id


@dataclass(slots=True)
class _Heard:
    bytes: int = 0
    first_audio_ms: int | None = None
    characters: int = 0
    request_id: str = ""
    marks: list[dict[str, Any]] = field(default_factory=list)
    ended: bool = False


def lay_out(job: SynthesisJob, texts: Sequence[str]) -> None:
    """The rows of a job's pieces, in the job's own transaction."""
    SpeechPiece.objects.bulk_create(
        SpeechPiece(job=job, number=number, text=text) for number, text in enumerate(texts, 1)
    )


def take_over(job: SynthesisJob, old: SynthesisJob) -> None:
    """What an earlier try has spoken of the same text is not spoken again, unless the voice has been trained anew since."""
    since = job.voice.ready_at or job.voice.created_at
    spoken = {piece.number: piece for piece in old.spoken_pieces.filter(spoken_at__gte=since).exclude(audio="")}
    taken = 0
    for piece in job.spoken_pieces.all():
        found = spoken.get(piece.number)
        if found is None or found.text != piece.text:
            continue
        # The file goes over; only one of the two rows may ever delete it.
        piece.audio, piece.milliseconds, piece.marks = found.audio.name, found.milliseconds, found.marks
        piece.spoken_at = found.spoken_at
        piece.save()
        SpeechPiece.objects.filter(pk=found.pk).update(audio="")
        taken += 1
    SynthesisJob.objects.filter(pk=job.pk).update(pieces_spoken=taken)


def sent_last(job: SynthesisJob) -> int:
    """How many characters the last call of a job may be billed for, by our own count."""
    if not job.pieces:
        return job.characters_expected
    piece = next_piece(job)
    return job.voice.traits.count_characters(piece.text) if piece else 0


def next_piece(job: SynthesisJob) -> SpeechPiece | None:
    return job.spoken_pieces.filter(spoken_at=None).first()


def speak(job: SynthesisJob, piece: SpeechPiece) -> None:
    """Speak one piece of a job that we hold, store it, and put the job back in the queue for its next turn.

    Raises PieceBroken once something was heard or the job has been cancelled, and ProviderError or PortalError before: the job
    is then its caller's to settle.
    """
    with tempfile.NamedTemporaryFile(dir=_spool(), prefix=f"{job.pk}-", suffix=".pcm") as file:
        heard = _listen(job, piece, file)
        file.flush()
        piece.characters, piece.marks = heard.characters or job.voice.traits.count_characters(piece.text), heard.marks
        piece.milliseconds = round(heard.bytes / 2 / job.sample_rate * 1000)
        piece.spoken_at = timezone.now()
        file.seek(0)
        try:
            store(piece.audio, "spoken.pcm", File(file))
        except StorageUnavailable as error:
            raise PieceBroken(error, characters=piece.characters, request_id=heard.request_id) from error
    told: dict[str, Any] = {
        "characters": job.characters + piece.characters,
        "pieces_spoken": job.pieces_spoken + 1,
        "provider_request_id": heard.request_id[:120] or job.provider_request_id,
        "first_audio_ms": heard.first_audio_ms if job.first_audio_ms is None else job.first_audio_ms,
    }
    with transaction.atomic():
        # Whatever has become of the job: this was spoken, and paid.
        piece.save()
        if not write_back(job, state=State.QUEUED, intent="", attempts=0, due_at=timezone.now(), **told):
            give_back(job, intent="", **told)


def join(job: SynthesisJob) -> None:
    """All pieces one after another, as one file in the job's format. Does nothing to a job that was moved meanwhile.

    Raises StorageUnavailable, and the job is as it was."""
    pieces = list(job.spoken_pieces.all())
    suffix = f".{audio.extension(job.audio_format)}"
    with tempfile.NamedTemporaryFile(dir=_spool(), prefix=f"{job.pk}-", suffix=suffix) as file:
        frames = _write_joined(job, pieces, file)
        file.flush()
        if job.audio_format == "wav":
            audio.fix_wav(Path(file.name))
        file.seek(0)
        store(job.audio, f"joined{suffix}", File(file))
        size = Path(file.name).stat().st_size
    try:
        with transaction.atomic():
            written = write_back(
                job,
                event=JobEvent(row=job, kind="success", detail={"characters": job.characters, "pieces": len(pieces)}),
                state=State.SUCCESS,
                intent="",
                due_at=None,
                finished_at=timezone.now(),
                audio=job.audio.name,
                audio_bytes=size,
                seconds=round(frames / job.sample_rate, 3),
                marks=_joined_marks(pieces),
                **failures.CLEARED,
            )
            if written:
                ledger.settle_speech(
                    job.pk, characters=job.characters, milliseconds=round(frames / job.sample_rate * 1000)
                )
                ledger.add(
                    ledger.audio(job.pk, owner_id=job.owner_id, voice=job.voice, size=size, token_id=job.token_id)
                )
    except BaseException:
        discard(job.audio.storage, job.audio.name or "")
        raise
    if written:
        forget(job)
        VoiceClone.objects.filter(pk=job.voice_id).update(spoken_at=timezone.now())
    else:
        discard(job.audio.storage, job.audio.name or "")


def forget(job: SynthesisJob) -> None:
    """The sound of the pieces: once they are joined, and with the job."""
    for piece in job.spoken_pieces.exclude(audio=""):
        piece.audio.storage.delete(piece.audio.name or "")
    job.spoken_pieces.all().delete()


def forget_old() -> None:
    """Of jobs that nobody has tried again."""
    for job in SynthesisJob.objects.filter(
        finished_at__lt=timezone.now() - KEPT_FOR, spoken_pieces__isnull=False
    ).distinct()[:100]:
        forget(job)


# --- one piece -------------------------------------------------------------------------------------------------------


def _listen(job: SynthesisJob, piece: SpeechPiece, file: IO[bytes]) -> _Heard:
    speech = job.voice.account.client().speech
    if speech is None or not declare_intent(job, INTENT, lease=LEASE):
        raise Cancelled
    request = replace(request_of(job), text=piece.text.strip(), audio_format=SPOKEN_AS)
    heard, asked = _Heard(), time.monotonic()
    events = watched(job.voice.account, ws.speak(speech, request))
    try:
        for event in _while_ours(job, events):
            match event:
                case Started(request_id):
                    heard.request_id = request_id
                case Audio(data):
                    if heard.first_audio_ms is None:
                        heard.first_audio_ms = round((time.monotonic() - asked) * 1000)
                    file.write(data)
                    heard.bytes += len(data)
                case Mark():
                    heard.marks.append(marks.as_json(event))
                case Usage(characters):
                    heard.characters = characters
                case Done(characters, request_id):
                    heard.ended = True
                    heard.request_id = request_id
                    heard.characters = heard.characters if characters is None else characters
        if not heard.ended:
            raise StreamBroken("the provider's frames ended before its last word", provider=job.provider)
        if not heard.bytes:
            raise EmptySpeech
    except (ProviderError, PortalError) as error:
        if isinstance(error, ProviderError) and not heard.bytes:
            raise
        raise PieceBroken(error, characters=_counted(job, piece, heard), request_id=heard.request_id) from error
    except Exception as error:
        raise PieceBroken(Fault(), characters=_counted(job, piece, heard), request_id=heard.request_id) from error
    finally:
        _close(events)
    return heard


def _counted(job: SynthesisJob, piece: SpeechPiece, heard: _Heard) -> int:
    """As the provider counted; where it named no number, what the sound so far has time for, which is never less."""
    if heard.characters or not heard.bytes:
        return heard.characters
    expected = job.voice.traits.count_characters(piece.text)
    return min(expected, math.ceil(heard.bytes / 2 / job.sample_rate * MOST_A_SECOND))


def _close(events: Iterator[Any]) -> None:
    """A generator's socket must not wait for the garbage collector."""
    close = getattr(events, "close", None)
    if close is not None:
        close()


def _while_ours(job: SynthesisJob, events: Iterator[Any]) -> Iterator[Any]:
    """Raises Cancelled when the job has passed to somebody else, or its owner wants no more of it."""
    renewed = time.monotonic()
    for event in events:
        if time.monotonic() - renewed > RENEW_EVERY:
            renewed = time.monotonic()
            asked_to_stop = SynthesisJob.objects.filter(pk=job.pk, cancel_requested_at__isnull=False)
            if not renew(job, lease=LEASE) or asked_to_stop.exists():
                raise Cancelled
        yield event


# --- joining ---------------------------------------------------------------------------------------------------------


def _write_joined(job: SynthesisJob, pieces: Sequence[SpeechPiece], file: IO[bytes]) -> int:
    """How many samples have been written."""
    encoder: Encoder = import_module("synthesis.encoder").Encoder(
        source_rate=job.sample_rate,
        audio_format=job.audio_format,
        sample_rate=OPUS_RATE if job.audio_format == "opus" else job.sample_rate,
    )
    frames = 0
    renewed = time.monotonic()
    for place, piece in enumerate(pieces):
        fades = (place > 0, place < len(pieces) - 1)
        for pcm in _faded(piece, rate=job.sample_rate, fades=fades):
            file.write(encoder.feed(pcm))
            frames += len(pcm) // 2
            if time.monotonic() - renewed > RENEW_EVERY:
                renewed = time.monotonic()
                renew(job, lease=LEASE)
    file.write(encoder.finish())
    return frames


def _faded(piece: SpeechPiece, *, rate: int, fades: tuple[bool, bool]) -> Iterator[bytes]:
    """The sound of a piece, in chunks; `fades`: in at its beginning, out at its end."""
    with piece.audio.open("rb") as sound:
        size = sound.size // 2 * 2
        at = 0
        while at < size and (chunk := sound.read(min(_CHUNK, size - at))):
            begins, ends = at == 0, at + len(chunk) >= size
            if (begins and fades[0]) or (ends and fades[1]):
                chunk = ramped(chunk, rate=rate, up=begins and fades[0], down=ends and fades[1])
            at += len(chunk)
            yield chunk


def _joined_marks(pieces: Sequence[SpeechPiece]) -> list[dict[str, Any]]:
    joined: list[dict[str, Any]] = []
    begun = 0
    for piece in pieces:
        joined += [_later(mark, begun) for mark in piece.marks]
        begun += piece.milliseconds
    return joined


def _later(mark: dict[str, Any], ms: int) -> dict[str, Any]:
    """The same in a file that begins `ms` earlier; what a mark holds in turn (its sounds) goes with it."""
    moved = {
        name: [_later(each, ms) for each in value] if isinstance(value, list) else value for name, value in mark.items()
    }
    return moved | {name: mark[name] + ms for name in ("begin_ms", "end_ms")}


def _spool() -> Path:
    spool = Path(settings.DATA_DIR) / "spool"
    spool.mkdir(exist_ok=True)
    return spool

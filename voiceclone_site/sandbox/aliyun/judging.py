"""Is this a sample to learn from? Bytes to a refusal of section 9.1, or to nothing."""

from __future__ import annotations

from ..speech import decoding, quality
from ..speech.decoding import UndecodableError, UnknownContainerError
from .refusals import RefusalError

MOST_BYTES = 10 * 1024 * 1024
_CONTAINERS = ("wav", "mp3", "mov,mp4,m4a,3gp,3g2,mj2")
_LOWEST_RATE = 16000
_MOST_SECONDS = 60.0
_TOLERANCE_SECONDS = 0.5
_SILENT_BELOW_DB = -50.0
_SHORTEST_ACTIVE_SECONDS = 3.0
_SHORTEST_SECONDS = 5.0
_NOISY_BELOW_DB = 10.0
_CLIPPED_ABOVE = 0.02


def judge(audio: bytes, *, legacy: bool) -> None:
    """Raise the RefusalError that the provider would answer for this file. By content: names and types are not asked."""
    if len(audio) > MOST_BYTES:
        raise RefusalError("Audio.FileSizeExceed", "File too large")
    try:
        recording = decoding.decode(audio, most_seconds=_MOST_SECONDS + 1)
    except UnknownContainerError as error:
        raise RefusalError("BadRequest.UnsupportedFileFormat", "File format unsupported.") from error
    except UndecodableError as error:
        raise RefusalError("Audio.DecoderError", "Decoder audio file failed.") from error
    sixteen_bit = recording.container != "wav" or recording.codec == "pcm_s16le"
    if recording.container not in _CONTAINERS or not sixteen_bit:
        raise RefusalError("BadRequest.UnsupportedFileFormat", "File format unsupported.")
    if recording.rate < _LOWEST_RATE:
        raise RefusalError("Audio.AudioRateError", "File sample rate unsupported")
    if recording.seconds > _MOST_SECONDS + _TOLERANCE_SECONDS:
        raise _too_long(legacy=legacy)
    _judge_speech(quality.assess(recording))


def _too_long(*, legacy: bool) -> RefusalError:
    if legacy:
        return RefusalError("InternalError", "audio preprocess server error")
    return RefusalError("Audio.DurationLimitError", "Audio duration exceeds maximum allowed limit.")


def _judge_speech(found: quality.Quality) -> None:
    if found.level < _SILENT_BELOW_DB and found.voiced == 0:
        raise RefusalError("Audio.AudioSilentError", "Silent file unsupported / silent audio error.")
    if found.seconds < _SHORTEST_SECONDS:
        raise RefusalError("Audio.AudioShortError", "valid audio too short!")
    if not found.is_speech:
        raise RefusalError("InternalError", "request asr failed")
    if found.active_seconds < _SHORTEST_ACTIVE_SECONDS:
        raise RefusalError("Audio.AudioShortError", "valid audio too short!")
    if found.signal_to_noise < _NOISY_BELOW_DB or found.clipped > _CLIPPED_ABOVE:
        raise RefusalError("InternalError", "audio preprocess server error")

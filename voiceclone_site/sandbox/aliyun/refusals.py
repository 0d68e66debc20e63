"""The provider's refusals with their codes, messages and, per profile, their HTTP statuses."""

from __future__ import annotations

from ..options import Options

# The vendor's pages contradict each other: the older list these statuses, the newer ones and the field 400 for all.
_LEGACY_STATUS = {
    "BadRequest.UnsupportedFileFormat": 415,
    "BadRequest.ResourceNotExist": 416,
    "Audio.DecoderError": 430,
    "Audio.FileSizeExceed": 430,
    "Audio.AudioRateError": 430,
    "Audio.AudioSilentError": 430,
}
_STATUS = {
    "InvalidApiKey": 401,
    "ModelNotFound": 404,
    "Throttling.RateQuota": 429,
    "InternalError": 500,
}


class RefusalError(Exception):
    """One refusal: `code` is what clients decide by."""

    def __init__(self, code: str, message: str, *, status: int = 0) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self._status = status

    def status(self, options: Options) -> int:
        legacy = _LEGACY_STATUS.get(self.code) if options.profile == "legacy" else None
        return self._status or legacy or _STATUS.get(self.code, 400)


def invalid_key() -> RefusalError:
    return RefusalError("InvalidApiKey", "Invalid API-key provided.")


def too_many() -> RefusalError:
    return RefusalError("Throttling.RateQuota", "Requests rate limit exceeded, please try again later.")


def no_such_voice() -> RefusalError:
    return RefusalError("BadRequest.ResourceNotExist", "The Required resource not exist")


def invalid(message: str) -> RefusalError:
    return RefusalError("InvalidParameter", message)

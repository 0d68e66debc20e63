"""What speaking refuses, in the portal's own words; the tree stands in voices/errors.py."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from voices.errors import PortalError, WrongState


class Interrupted(PortalError):
    """The process that was speaking died. What the provider spoke until then is paid; it is not asked again unasked."""

    code = "interrupted"
    default_sentence = _(
        "The portal was restarted while this was being spoken. Press “Try again” to have it spoken anew: "
        "the provider may count its characters a second time, so we do not repeat it unasked."
    )


class ClientLeft(PortalError):
    code = "client_left"
    default_sentence = _("Playback was stopped before the end. Only what was spoken until then is counted.")


class Cancelled(PortalError):
    code = "cancelled"
    default_sentence = _("This was cancelled. Only what was spoken until then is counted.")


class EmptySpeech(PortalError):
    code = "no_audio"
    default_sentence = _("The provider returned no sound for this text. Please check that it holds words to be spoken.")


class AudioNotReady(WrongState):
    code = "audio_not_ready"
    default_sentence = _("There is no audio yet: it is still being spoken. Please ask again in a moment.")


class NoAudio(WrongState):
    code = "no_audio_kept"
    default_sentence = _("There is no audio: this was not spoken to its end. Try it again to have it spoken anew.")


class NoWordTimes(WrongState):
    code = "no_word_times"
    default_sentence = _("It is not known when each word was spoken. Speak it anew with word times switched on.")


class UnreadableAudio(PortalError):
    """What the provider sent is not the audio that was asked for; `detail` says what it is, for the operator."""

    code = "unreadable_audio"
    default_sentence = _(
        "The provider sent something that is not a sound file. Please try again; if it happens again, choose another format."
    )

    def __init__(self, *, detail: str) -> None:
        super().__init__()
        self.detail = detail

    def __str__(self) -> str:
        return self.detail

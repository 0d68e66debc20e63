"""States and events of a voice, and the figures of a recording, in words for the one who owns them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from voices.models import VoiceClone, VoiceEvent, VoiceSample
from voices.providers.base import Traits
from voices.providers.errors import Act
from voices.verdict import NOISY_BELOW, QUIET_BELOW, SLIGHTLY_NOISY_BELOW, TOO_QUIET_BELOW, Finding

if TYPE_CHECKING:
    from voices.errors import Sentence

State = VoiceClone.State

NOW: Mapping[str, Sentence] = {
    State.INIT: _("Your recording is on its way to the provider."),
    State.TRAINING: _("The provider is learning this voice. That takes from some seconds to a few minutes."),
    State.SUCCESS: _("This voice is ready. Give it something to say."),
    State.FAILED: _("This voice could not be made."),
    State.UNKNOWN: _(
        "The provider gave no clear answer. We are finding out whether the voice was made before going on."
    ),
    State.EXPIRED: _("The provider no longer holds this voice. It can be trained again from its recording."),
    State.DELETING: _("This voice is being deleted at the provider."),
    State.DELETED: _("This voice is deleted."),
}

HAPPENED: Mapping[str, Sentence] = {
    "created": _("The recording was checked and kept."),
    "recording_ordered": _("You asked for the recording to be fetched from its address."),
    "recording_fetched": _("The recording was fetched, checked and kept."),
    "fetch_failed": _("The recording could not be fetched; we try again."),
    "renamed": _("The voice was renamed."),
    "import_requested": _("You asked for it to be taken over from the provider."),
    "place_made": _("The provider made a place for the voice."),
    "place_reused": _("A place that was left over at the provider is used for the voice."),
    "not_handed_over": _("The recording had not arrived at the provider; it is handed over again."),
    "rename_failed": _("The provider did not take the new name."),
    "kept_by_provider": _("The voice is gone from here; the provider keeps its own copy."),
    "training_started": _("The provider took the recording and began to train."),
    "ready": _("The voice was ready."),
    "trying_again": _("The provider did not take it; we try again."),
    "outcome_unknown": _("The provider did not answer clearly; we look into it before going on."),
    "needs_operator": _("The operator of this site has to look into it."),
    "nothing_happened": _("The provider had done nothing; we begin anew."),
    "duplicate_removed": _("A copy made by accident was removed at the provider."),
    "adopted": _("The voice was found at the provider."),
    "operator_found_it": _("The operator of this site found the voice at the provider."),
    "operator_found_nothing": _("The operator of this site found that the provider had made nothing; we begin anew."),
    "operator_doubted": _("The operator of this site had it looked up at the provider before going on."),
    "kept_alive": _("The operator of this site let it speak one sign, so that the provider does not remove it."),
    "expired": _("The provider no longer had the voice."),
    "failed": _("The training failed."),
    "retrain_requested": _("You asked for it to be trained again."),
    "recording_erased": _("You had the recording erased; the voice stays."),
    "repeats_on": _("From now on it answers repeats with the audio that was kept."),
    "repeats_off": _("From now on every request is spoken anew."),
    "delete_requested": _("You asked for it to be deleted."),
    "delete_failed": _("The provider could not delete it yet; we try again."),
    "deleted": _("The voice was deleted."),
}

TONES: Mapping[str, str] = {
    State.SUCCESS: "good",
    State.FAILED: "bad",
    State.EXPIRED: "bad",
    State.DELETED: "still",
}


WHOSE_TURN: Mapping[str, Sentence] = {
    Act.USER: _("You can train it again below, from the same recording or from a better one."),
    Act.OPERATOR: _("There is nothing you need to change: tell the operator of this site, then train the voice again."),
    Act.PROVIDER: _(
        "There is nothing you need to change: the provider has to put it right. Train the voice again later."
    ),
}


@dataclass(frozen=True, slots=True)
class Ability:
    """Something that a provider can do with a voice, or cannot."""

    can: bool
    sentence: Sentence


@dataclass(frozen=True, slots=True)
class Figure:
    """Something that was measured, with what it means. `remark` may be empty."""

    name: Sentence
    value: str
    remark: Sentence = ""


def what_happened(event: VoiceEvent) -> Sentence:
    if event.kind == "renamed" and {"from", "to"} <= set(event.detail):
        wording = _("Renamed from “{old}” to “{new}”.")
        return format_lazy(wording, old=event.detail["from"], new=event.detail["to"])
    return HAPPENED.get(event.kind, event.kind)


def now_says(voice: VoiceClone) -> Sentence:
    if voice.is_ready and not voice.traits.can_synthesize:
        return _("This voice is trained, but it cannot be given texts to speak.")
    return NOW[voice.state]


def what_to_do(voice: VoiceClone) -> Sentence:
    """After a failure: whose turn it is, and what then. Whoever reads this owns the voice."""
    return WHOSE_TURN.get(voice.error_action, WHOSE_TURN[Act.USER])


def warnings(traits: Traits) -> list[Sentence]:
    """What should be known of a provider before a voice is made there."""
    return [note for note in (traits.speech_note, traits.delete_note) if note]


def abilities(traits: Traits) -> Iterator[Ability]:
    """What becomes of a voice at this provider, and what does not."""
    yield Ability(
        traits.can_synthesize,
        _speaking(traits),
    )
    yield Ability(
        traits.can_retrain,
        _("It can be trained again and keeps its id.")
        if traits.can_retrain
        else _("Once it is ready it cannot be trained again: make a new voice instead."),
    )
    yield Ability(
        traits.can_rename,
        _("A new name is told to the provider, too.")
        if traits.can_rename
        else _("A new name counts here only: the provider keeps no name, or its own."),
    )
    yield Ability(
        traits.can_delete,
        _("Deleting it here deletes it at the provider, too.")
        if traits.can_delete
        else _("Deleting it here does not delete it at the provider."),
    )


def _speaking(traits: Traits) -> Sentence:
    if traits.speech_is_experimental:
        return _("It speaks any text you type, as an experiment: that may fail, or end any day.")
    return _("It speaks any text you type.") if traits.can_synthesize else _("It cannot be given texts to speak.")


def tone(voice: VoiceClone) -> str:
    """good, bad, still, or busy: how a state is coloured."""
    return TONES.get(voice.state, "busy")


def findings(sample: VoiceSample) -> list[Finding]:
    return [Finding.from_json(stored) for stored in sample.findings]


def figures(sample: VoiceSample) -> Iterator[Figure]:
    measured = sample.measurements
    yield Figure(_("Length"), f"{sample.seconds:.1f} s")
    if "speech_seconds" in measured:
        yield Figure(_("Speech in it"), f"{measured['speech_seconds']:.1f} s")
    if "speech_level" in measured:
        yield Figure(_("Loudness"), f"{measured['speech_level']:.0f} dBFS", _loudness(measured["speech_level"]))
    if "snr" in measured:
        yield Figure(_("Above the noise"), f"{measured['snr']:.0f} dB", _quietness(measured["snr"]))
    if measured.get("f0"):
        yield Figure(_("Pitch (F0)"), f"{measured['f0']:.0f} Hz")
    yield Figure(_("Sample rate"), f"{sample.sample_rate / 1000:g} kHz")


def _loudness(level: float) -> Sentence:
    if level < TOO_QUIET_BELOW:
        return _("too quiet")
    return _("rather quiet") if level < QUIET_BELOW else _("good")


def _quietness(snr: float) -> Sentence:
    if snr < NOISY_BELOW:
        return _("noisy")
    return _("some noise") if snr < SLIGHTLY_NOISY_BELOW else _("quiet room")

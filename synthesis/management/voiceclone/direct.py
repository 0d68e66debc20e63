"""The verbs against the provider's account itself, without a row: the one that the environment describes, or the sandbox's.

Every call that costs is made once. What may have been acted on without an answer is looked up, never sent again.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.core.files.base import File
from django.utils.translation import gettext as _

from synthesis.errors import EmptySpeech
from synthesis.management.voiceclone import asked as flags
from synthesis.management.voiceclone import spoken, waiting
from synthesis.management.voiceclone.exits import Ended, Exit
from synthesis.management.voiceclone.saying import Output
from voices import accounts, samples
from voices.errors import NotSupported
from voices.models import VoiceClone, new_tag
from voices.names import valid_name
from voices.providers import registry, ws
from voices.providers.base import (
    Audio,
    Provider,
    ReadingText,
    RemoteState,
    RemoteVoice,
    SpeechRequest,
    Traits,
    VoiceOrder,
)
from voices.providers.errors import OutcomeUnknown

WORDS: Mapping[RemoteState, str] = {
    RemoteState.EMPTY: "draft",
    RemoteState.WORKING: "training",
    RemoteState.READY: "success",
    RemoteState.FAILED: "failed",
    RemoteState.GONE: "gone",
}


ENDED = (RemoteState.READY, RemoteState.FAILED, RemoteState.GONE)


@dataclass(frozen=True, slots=True)
class Direct:
    traits: Traits
    provider: Provider
    asked: Mapping[str, Any]
    says: Output

    # --- the verbs ---

    def get_text(self) -> None:
        spoken.list_texts(self._texts(), self.says)

    def create(self) -> None:
        if not self.traits.trains_in_two_steps:
            raise NotSupported(_("This provider makes and trains a voice in one call: use `train quick`."))
        place = self._made(self._order(reading=next(iter(self._texts()), None)))
        self.says.tell(_("Made. Hand the recording over with `train upload`."))
        self._report(place)

    def upload(self) -> None:
        before = self._look(self._task)
        if before.state == RemoteState.WORKING:
            raise Ended(Exit.REFUSED, _("This task is in training already; nothing was sent."))
        if before.state in (RemoteState.READY, RemoteState.FAILED) and not self.traits.can_retrain:
            sentence = _("This task has been trained, and each is trained once. Make a new one with `train create`.")
            raise Ended(Exit.REFUSED, sentence)
        order = self._with_recording(self._order_for_a_task())
        steps = self.provider.steps
        if steps is not None and order.sample_url:
            steps.add_link(self._task, order)
            self.says.tell(_("The provider knows the address. Begin with `train submit`."))
            self._report(replace(before, state=RemoteState.EMPTY))
            return
        trained = self.provider.cloning.train(self._task, order)
        self.says.tell(_("Handed over; the training has begun. `train submit` is not needed."))
        self._report(trained)

    def submit(self) -> None:
        stands = self._look(self._task)
        if stands.state != RemoteState.EMPTY:
            # Where handing over has begun it, asking again would be a second paid training.
            self.says.tell(_("The training has been submitted already; nothing was sent."))
        elif self.provider.steps is None:
            raise Ended(
                Exit.REFUSED, _("Hand the recording over first, with `train upload`: that begins the training.")
            )
        else:
            stands = self.provider.steps.begin(self._task)
            self.says.tell(_("Submitted; the training has begun."))
        self._report(stands)

    def status(self) -> None:
        stands = self._look(self._task)
        self._report(stands, with_state=True)
        self._raise_reason(stands)

    def quick(self) -> None:
        reading = self._reading()
        order = self._with_recording(self._order(reading=reading))
        if reading is not None:
            self.says.tell(_("The recording is taken as a reading of: %(text)s") % {"text": reading.text})
        place = self._made(order)
        task = place.remote_id
        if self.traits.trains_in_two_steps:
            self.says.tell(_("Task %(task)s was made.") % {"task": task})
            self._handed_over(task, order)
        if self.asked["wait"]:
            self._report_trained(self._waited_for(task), task=task)
        else:
            self._report(replace(place, state=RemoteState.WORKING))

    def synth(self) -> None:
        text = flags.text_of(self.asked)
        unsaved = VoiceClone(
            provider=self.traits.slug,
            model=flags.model_of(self.asked, self.traits),
            remote_id=self.asked["res_id"],
            state=VoiceClone.State.SUCCESS,
        )
        order = spoken.checked(None, unsaved, text, self.asked)
        request = SpeechRequest(
            remote_id=unsaved.remote_id,
            model=unsaved.model,
            text=order.text,
            audio_format=order.audio_format,
            sample_rate=order.sample_rate,
            options=order.options,
        )
        spoken.write(self._audio(request), order, flags.output_of(self.asked, order.audio_format), self.says)

    def take(self) -> None:
        raise Ended(Exit.USAGE, _("A voice is taken over into somebody's records: add --user EMAIL."))

    # --- the parts ---

    @property
    def _task(self) -> str:
        return str(self.asked["task_id"])

    def _texts(self) -> tuple[ReadingText, ...]:
        return tuple(self.provider.cloning.reading_texts()) if self.traits.needs_reading_text else ()

    def _reading(self) -> ReadingText | None:
        return flags.reading_of(self.asked, self._texts())

    def _order(self, *, reading: ReadingText | None) -> VoiceOrder:
        """All that is known of a new voice before its recording is."""
        return VoiceOrder(
            tag=new_tag(),
            name=valid_name(self.asked["name"], self.traits),
            model=flags.model_of(self.asked, self.traits),
            language=flags.language_of(self.asked, self.traits),
            sample_url="",
            sample=bytes,
            options=flags.enrollment_of(self.asked, self.traits),
            reading=reading.id if reading else "",
        )

    def _order_for_a_task(self) -> VoiceOrder:
        """What the task was made with stays; only a provider that keeps names is told one together with the recording."""
        name = self.asked["name"]
        if self.traits.can_rename and not name:
            raise Ended(Exit.USAGE, _("This provider takes the voice's name together with the recording: add --name."))
        reading = self._reading()
        return VoiceOrder(
            tag=new_tag(),
            name=valid_name(name, self.traits) if name else "",
            model=self.traits.default_model,
            language="",
            sample_url="",
            sample=bytes,
            reading=reading.id if reading else "",
        )

    def _with_recording(self, order: VoiceOrder) -> VoiceOrder:
        """Looked at before anything is sent: a recording that will not do must cost nothing. Raises SampleRefused."""
        if url := self.asked["audio_url"]:
            if not (self.traits.needs_public_url or self.provider.steps):
                raise NotSupported(_("This provider takes the recording itself: give --audio FILE."))
            return replace(order, sample_url=str(url))
        if self.traits.needs_public_url:
            sentence = _(
                "This provider fetches the recording: give --audio-url, or --user to let the portal hand it over."
            )
            raise NotSupported(sentence)
        recording = File(io.BytesIO(flags.recording_of(self.asked)), name=self.asked["audio"])
        inspection = samples.inspect(recording, rules=self.traits.sample, filename=self.asked["audio"])
        samples.refuse(inspection)
        return replace(order, sample=lambda: inspection.prepared)

    def _made(self, order: VoiceOrder) -> RemoteVoice:
        """Raises OutcomeUnknown when nobody knows: the mark is then told, by which the voice may be found."""
        try:
            return self.provider.cloning.create(order)
        except OutcomeUnknown:
            if self.traits.can_find_by_tag:
                self.says.tell(_("If it was made, its id at the provider holds the mark %(tag)s.") % {"tag": order.tag})
            raise

    def _handed_over(self, task: str, order: VoiceOrder) -> None:
        """Raises OutcomeUnknown only when the provider still waits for the recording: then it did not arrive."""
        try:
            if self.provider.steps is not None and order.sample_url:
                self.provider.steps.add_link(task, order)
                self.provider.steps.begin(task)
            else:
                self.provider.cloning.train(task, order)
        except OutcomeUnknown:
            if self._look(task).state == RemoteState.EMPTY:
                raise

    def _look(self, remote_id: str) -> RemoteVoice:
        found = self.provider.cloning.statuses([remote_id]).get(remote_id)
        if found is None:
            sentence = _(
                "The provider tells nothing about %(id)s. Check the id; a trained voice may not be asked about."
            )
            raise Ended(Exit.REFUSED, sentence % {"id": remote_id})
        if found.state == RemoteState.GONE:
            self._raise_reason(found)
        return found

    def _waited_for(self, remote_id: str) -> RemoteVoice:
        """Trouble while asking is told and asked again: the training goes on. Raises Ended, or ProviderError for a failure."""
        stands = RemoteVoice(remote_id=remote_id, state=RemoteState.WORKING)

        def has_ended() -> bool:
            nonlocal stands
            stands = self.provider.cloning.statuses([remote_id]).get(remote_id, stands)
            return stands.state in ENDED

        patience = self.asked["timeout"] or self.traits.training_deadline_seconds
        waiting.until(
            waiting.through_trouble(has_ended, self.says),
            every=self.asked["every"],
            patience=patience,
            says=self.says,
            meanwhile=lambda: WORDS[stands.state],
        )
        self._raise_reason(stands)
        return stands

    def _raise_reason(self, stands: RemoteVoice) -> None:
        if stands.state in (RemoteState.FAILED, RemoteState.GONE):
            raise stands.reason or Ended(Exit.REFUSED, _("The training failed; the provider does not say why."))

    def _report(self, stands: RemoteVoice, *, with_state: bool = False) -> None:
        task = self.asked.get("task_id") or stands.remote_id
        voice_id = stands.remote_id if stands.state == RemoteState.READY else ""
        word = WORDS[stands.state]
        plain = "\t".join(part for part in (word, voice_id) if part) if with_state else task
        self.says.result(plain, {"task_id": task, "state": word, "res_id": voice_id or None})

    def _report_trained(self, stands: RemoteVoice, *, task: str) -> None:
        self.says.result(stands.remote_id, {"task_id": task, "state": WORDS[stands.state], "res_id": stands.remote_id})

    def _audio(self, request: SpeechRequest) -> Iterator[bytes]:
        """What is heard, as it comes. Raises ProviderError, or EmptySpeech."""
        if self.provider.speech is None:
            raise NotSupported(self.traits.speech_note or _("This provider does not speak with cloned voices."))
        heard = False
        for event in spoken.with_progress(ws.speak(self.provider.speech, request), self.says):
            if isinstance(event, Audio) and event.data:
                heard = True
                yield event.data
        if not heard:
            raise EmptySpeech


def direct(asked: Mapping[str, Any], says: Output) -> Direct:
    traits = flags.provider_of(asked)
    provider = registry.build(traits.slug, accounts.of_environment(traits.slug))
    return Direct(traits=traits, provider=provider, asked=asked, says=says)

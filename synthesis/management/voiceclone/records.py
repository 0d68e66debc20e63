"""The verbs through the portal's own records: rows of one user, made by the same services as on the page.

Whoever waits also does what is due, by the same call as a worker: with or without a cluster running, nothing happens twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.db.models import Q
from django.utils.translation import gettext as _

from synthesis import services
from synthesis.management.voiceclone import asked as flags
from synthesis.management.voiceclone import spoken, waiting
from synthesis.management.voiceclone.exits import Ended, Exit
from synthesis.management.voiceclone.saying import Output
from voices import consent, failures, reading
from voices import services as voices
from voices.advancing import advance
from voices.consent import Consent
from voices.models import Owner, VoiceClone, VoiceConsent
from voices.providers.base import Traits

PROGRAM = "manage.py voiceclone"


@dataclass(frozen=True, slots=True)
class Records:
    owner: Owner
    traits: Traits
    asked: Mapping[str, Any]
    says: Output

    # --- the verbs ---

    def get_text(self) -> None:
        spoken.list_texts(reading.texts(self.traits.slug), self.says)

    def create(self) -> None:
        self._steps_are_the_portals()

    def upload(self) -> None:
        self._steps_are_the_portals()

    def submit(self) -> None:
        self._steps_are_the_portals()

    def status(self) -> None:
        voice = self._voice(self.asked["task_id"])
        voices.look_at(voice)
        self._report(voice, with_state=True)
        self._raise_failure(voice)

    def quick(self) -> None:
        if self.asked["audio_url"]:
            raise Ended(Exit.USAGE, _("The portal keeps the recording itself: give --audio FILE."))
        texts = tuple(reading.texts(self.traits.slug))
        read = flags.reading_of(self.asked, texts)
        if read is not None:
            self.says.tell(_("The recording is taken as a reading of: %(text)s") % {"text": read.text})
        filename = Path(self.asked["audio"]).name
        voice = voices.create_voice(
            self.owner,
            name=self.asked["name"],
            provider=self.traits.slug,
            model=flags.model_of(self.asked, self.traits),
            language=flags.language_of(self.asked, self.traits),
            recording=ContentFile(flags.recording_of(self.asked), name=filename),
            filename=filename,
            consent=self._consent(),
            enrollment=flags.enrollment_of(self.asked, self.traits),
            reading_id=read.id if read else "",
        )
        self._followed(voice)

    def take(self) -> None:
        voice = voices.import_voice(
            self.owner,
            name=self.asked["name"],
            provider=self.traits.slug,
            model=flags.model_of(self.asked, self.traits),
            language=flags.language_of(self.asked, self.traits),
            remote_id=self.asked["res_id"],
            consent=self._consent(),
        )
        self._followed(voice)

    def synth(self) -> None:
        text = flags.text_of(self.asked)
        voice = self._voice(self.asked["res_id"])
        if self.asked["engine"] not in (None, voice.model):
            raise Ended(Exit.USAGE, _("This voice was trained with %(model)s.") % {"model": voice.model})
        order = spoken.checked(self.owner, voice, text, self.asked)
        stream = services.speak(order)
        try:
            spoken.write(stream, order, flags.output_of(self.asked, order.audio_format), self.says)
        finally:
            stream.close()
        self.says.tell(_("Kept in the history as %(id)s.") % {"id": stream.job.pk})

    # --- the parts ---

    def _steps_are_the_portals(self) -> None:
        sentence = _("With --user the portal leads the steps itself: use `train quick`.")
        raise Ended(Exit.USAGE, sentence)

    def _consent(self) -> Consent:
        """Raises ConsentMissing."""
        if not self.asked["consent"]:
            self.says.tell(consent.STATEMENT)
        return consent.accepted(
            ticked=self.asked["consent"], channel=VoiceConsent.Channel.API, address=None, user_agent=PROGRAM
        )

    def _voice(self, named: str) -> VoiceClone:
        """By the portal's id or by the provider's. Raises Ended, in the same words for what is somebody else's."""
        mine = VoiceClone.objects.visible_to(self.owner).select_related("account")
        which = Q(remote_id=named, provider=self.traits.slug)
        with suppress(ValueError):
            which |= Q(pk=uuid.UUID(named))
        voice = mine.filter(which).first()
        if voice is None:
            sentence = _("%(user)s has no voice %(named)s.") % {"user": self.owner, "named": named}
            raise Ended(Exit.REFUSED, sentence)
        return voice

    def _followed(self, voice: VoiceClone) -> None:
        if not self.asked["wait"]:
            self._report(voice)
            return

        def has_ended() -> bool:
            voices.look_at(voice)
            advance(voice.pk)
            voice.refresh_from_db()
            return not voice.in_progress

        patience = self.asked["timeout"] or self.traits.training_deadline_seconds
        waiting.until(
            has_ended,
            every=self.asked["every"],
            patience=patience,
            says=self.says,
            meanwhile=voice.get_state_display,
        )
        self._raise_failure(voice)
        self._report(voice, trained=True)

    def _raise_failure(self, voice: VoiceClone) -> None:
        if voice.in_progress or voice.is_ready:
            return
        evidence = [
            f"  {name}: {value}"
            for name, value in (
                (_("provider's code"), voice.error_provider_code),
                (_("provider's request id"), voice.provider_request_id),
            )
            if value
        ]
        raise Ended(Exit.REFUSED, "\n".join([failures.shown(voice.error_sentence) or voice.state, *evidence]))

    def _report(self, voice: VoiceClone, *, with_state: bool = False, trained: bool = False) -> None:
        word = voice.state.lower()
        voice_id = voice.remote_id if voice.is_ready else ""
        plain = str(voice.pk)
        if with_state:
            plain = "\t".join(part for part in (word, voice_id) if part)
        elif trained:
            plain = voice_id
        self.says.result(plain, {"task_id": str(voice.pk), "state": word, "res_id": voice_id or None})


def records(asked: Mapping[str, Any], says: Output) -> Records:
    """Raises Ended when nobody has this address."""
    traits = flags.provider_of(asked)
    owner = get_user_model().objects.filter(email__iexact=asked["user"], is_active=True).first()
    if owner is None:
        raise Ended(Exit.USAGE, _("Nobody here has the address %(email)s.") % {"email": asked["user"]})
    return Records(owner=owner, traits=traits, asked=asked, says=says)

"""A voice as the portal knows it, on top of the training service: a task until it is trained, a res_id from then on."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from voices.providers import ws
from voices.providers.base import ReadingText, RemoteState, RemoteVoice, Speech, SpeechRequest, VoiceOrder, at_once
from voices.providers.errors import (
    Act,
    InvalidRequest,
    ProviderError,
    ProviderTrouble,
    VoiceNotFound,
    VoiceNotUsable,
)
from voices.providers.iflytek.errors import training_failed
from voices.providers.iflytek.training import TaskOrder, TaskResult, Training, reading
from voices.providers.iflytek.traits import EDITIONS, SLUG, TRAITS

_TASK_ID = re.compile(r"[0-9]{1,19}")
_SEXES = {"male": 1, "female": 2}
_AGE_GROUPS = {"child": 1, "youth": 2, "middle_aged": 3, "senior": 4}
_STATES: Mapping[int, RemoteState] = {
    -1: RemoteState.WORKING,
    0: RemoteState.FAILED,
    1: RemoteState.READY,
    2: RemoteState.EMPTY,
}
# One call for each task: whoever asks about many gets what could be asked in this time, well within a worker's lease.
STATUS_SECONDS = 30.0
# What a look-up speaks: the shortest text there is, the same in every language.
LOOK_UP_TEXT = "1"


@dataclass(frozen=True, slots=True)
class IflytekCloning:
    """`training` is the service call by call, for whoever leads a training by hand."""

    training: Training
    speech: Speech
    clock: Callable[[], float] = time.monotonic
    pace: Callable[[], None] = at_once

    def create(self, order: VoiceOrder) -> RemoteVoice:
        """An empty task; its id is lost for good if the answer is."""
        reading(order.reading)  # an order that could never be trained makes no task
        task_id = self.training.add_task(_task_order(order))
        return _voice(task_id, TaskResult(status=2, voice_id="", reason=""), model=order.model)

    def train(self, remote_id: str, order: VoiceOrder) -> RemoteVoice:
        if not _TASK_ID.fullmatch(remote_id):
            raise InvalidRequest("a voice that is trained takes no other recording", provider=SLUG)
        self.training.submit_with_audio(remote_id, read=reading(order.reading), recording=order.sample())
        return _voice(remote_id, TaskResult(status=-1, voice_id="", reason=""), model=order.model)

    def rename(self, remote_id: str, name: str) -> None:
        raise InvalidRequest("a voice here keeps the name it was made with", provider=SLUG)

    def reading_texts(self) -> Sequence[ReadingText]:
        return self.training.reading_texts()

    def look_up(self, remote_id: str, model: str) -> RemoteVoice:
        """There is no way to ask about a res_id but to speak with it: this costs one character."""
        if model not in EDITIONS:
            raise InvalidRequest(
                f"no voice is trained with {model}",
                provider=SLUG,
                act=Act.USER,
                sentence=_("Only a voice that was trained can be taken over. Choose the model it was trained with."),
            )
        request = SpeechRequest(
            remote_id=remote_id, model=model, text=LOOK_UP_TEXT, audio_format="mp3", sample_rate=16_000
        )
        try:
            for _event in ws.speak(self.speech, request):
                pass
        except (VoiceNotFound, VoiceNotUsable) as error:
            return RemoteVoice(
                remote_id=remote_id, state=RemoteState.GONE, model=model, request_id=error.request_id, reason=error
            )
        return RemoteVoice(remote_id=remote_id, state=RemoteState.READY, model=model)

    def statuses(self, remote_ids: Sequence[str]) -> Mapping[str, RemoteVoice]:
        """One call for each task. A res_id is left out: a trained voice cannot be asked about.

        One task's trouble does not hide the others; it is raised when nothing else was learned.
        """
        until = self.clock() + STATUS_SECONDS
        found: dict[str, RemoteVoice] = {}
        trouble: ProviderError | None = None
        for number, task_id in enumerate(filter(_TASK_ID.fullmatch, dict.fromkeys(remote_ids))):
            if self.clock() > until:
                break
            if number:
                self.pace()
            try:
                found[task_id] = self._status(task_id)
            except (ProviderTrouble, InvalidRequest) as error:
                trouble = trouble or error
            except ProviderError as error:
                # Of the whole account: asking about the next task would meet the same.
                trouble = error
                break
        if trouble is not None and not found:
            raise trouble
        return found

    def find(self, tag: str) -> Sequence[RemoteVoice]:
        raise InvalidRequest("tasks cannot be listed here", provider=SLUG)

    def delete(self, remote_id: str) -> None:
        raise InvalidRequest("a trained voice cannot be deleted here", provider=SLUG)

    def _status(self, task_id: str) -> RemoteVoice:
        try:
            result = self.training.result(task_id)
        except VoiceNotFound as error:
            return RemoteVoice(remote_id=task_id, state=RemoteState.GONE, request_id=task_id, reason=error)
        return _voice(task_id, result)


def _task_order(order: VoiceOrder) -> TaskOrder:
    """Raises InvalidRequest for what the model does not take."""
    if order.model not in EDITIONS:
        raise InvalidRequest(f"no voice is trained with {order.model}", provider=SLUG)
    engine = TRAITS.model(order.model)
    if unknown := order.options.keys() - engine.enrollment:
        raise InvalidRequest(f"{order.model} takes no {', '.join(sorted(unknown))}", provider=SLUG)
    if order.language not in {choice.value for choice in engine.languages}:
        raise InvalidRequest(f"{order.model} is not trained for the language {order.language!r}", provider=SLUG)
    return TaskOrder(
        name=order.name,
        model=order.model,
        language=order.language,
        sex=_SEXES.get(str(order.options.get("sex"))),
        age_group=_AGE_GROUPS.get(str(order.options.get("age_group"))),
        denoise=bool(order.options.get("denoise")),
        mos_ratio=float(order.options.get("mos_ratio") or 0),
        tag=order.tag,
    )


def _voice(task_id: str, result: TaskResult, *, model: str = "") -> RemoteVoice:
    """The task's id is also what the provider's support asks for: the training service names no request."""
    raw_state = "" if result.status is None else str(result.status)
    state = RemoteState.WORKING if result.status is None else _STATES.get(result.status, RemoteState.WORKING)
    if state is RemoteState.READY and not result.voice_id:
        raise ProviderTrouble(
            "a training that is done without a res_id", provider=SLUG, provider_code=raw_state, request_id=task_id
        )
    return RemoteVoice(
        remote_id=result.voice_id if state is RemoteState.READY else task_id,
        state=state,
        raw_state=raw_state,
        model=model,
        request_id=task_id,
        reason=training_failed(reason=result.reason, request_id=task_id) if state is RemoteState.FAILED else None,
    )

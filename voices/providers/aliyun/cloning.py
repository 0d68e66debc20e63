"""Voice enrollment (声音复刻): one REST address, the verb in `input.action`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from voices.providers.aliyun.errors import enrollment_refused, review_rejected
from voices.providers.aliyun.traits import SLUG, TAKES_SAMPLE_LANGUAGE, TRAITS
from voices.providers.base import ReadingText, RemoteState, RemoteVoice, VoiceOrder, at_once
from voices.providers.errors import (
    InvalidRequest,
    OutcomeUnknown,
    ProviderError,
    ProviderTrouble,
    VoiceNotFound,
    VoiceNotUsable,
)
from voices.providers.http import Answer, HttpClient
from voices.providers.wire import LONGEST_STATE, identifier, mapping, note

PATH = "/services/audio/tts/customization"
PAGE_SIZE = 100
# The largest page is undocumented. A page shorter than what is asked may therefore be a capped one; a page shorter than the
# default of 10 is the last.
DEFAULT_PAGE_SIZE = 10
# Voices that no page showed are asked for one by one, but not more of them than this in one go.
MAX_SINGLE_QUERIES = 5

_STATES: Mapping[str, RemoteState] = {"OK": RemoteState.READY, "UNDEPLOYED": RemoteState.FAILED}


@dataclass(frozen=True, slots=True)
class AliyunCloning:
    client: HttpClient
    headers: Mapping[str, str] = field(repr=False)
    pace: Callable[[], None] = field(default=at_once, repr=False)

    def create(self, order: VoiceOrder) -> RemoteVoice:
        wanted = {"target_model": order.model, "prefix": order.tag, "url": order.sample_url} | _parameters(order)
        answer = self._call("create_voice", wanted, effect=True)
        voice_id = identifier(_output(answer).get("voice_id"))
        if not voice_id:
            raise OutcomeUnknown(
                "success without a usable voice_id",
                provider=SLUG,
                http_status=answer.status,
                request_id=_request_id(answer),
            )
        return RemoteVoice(
            remote_id=voice_id, state=RemoteState.WORKING, model=order.model, request_id=_request_id(answer)
        )

    def train(self, remote_id: str, order: VoiceOrder) -> RemoteVoice:
        # Doing it twice with the same recording takes no slot and costs nothing, so a lost answer may simply be asked again.
        answer = self._call("update_voice", {"voice_id": remote_id, "url": order.sample_url}, effect=False)
        return RemoteVoice(
            remote_id=remote_id, state=RemoteState.WORKING, model=order.model, request_id=_request_id(answer)
        )

    def rename(self, remote_id: str, name: str) -> None:
        raise InvalidRequest("a voice here has no name to change", provider=SLUG)

    def reading_texts(self) -> Sequence[ReadingText]:
        return ()

    def look_up(self, remote_id: str, model: str) -> RemoteVoice:
        found = self._queried(remote_id)
        if found.model and found.model != model:
            reason = VoiceNotUsable(
                f"the voice was made for {found.model}",
                provider=SLUG,
                request_id=found.request_id,
                sentence=format_lazy(
                    _("This voice was made for the model {model}. Choose that model and try again."), model=found.model
                ),
            )
            return replace(found, state=RemoteState.FAILED, reason=reason)
        return found

    def statuses(self, remote_ids: Sequence[str]) -> Mapping[str, RemoteVoice]:
        """One id by one query; several by listing until all are found, as rows are 100 to a call."""
        missing = dict.fromkeys(remote_ids)
        found: dict[str, RemoteVoice] = {}
        if len(missing) > 1:
            for voice in self._listed(prefix=""):
                if voice.remote_id in missing:
                    del missing[voice.remote_id]
                    found[voice.remote_id] = voice
                if not missing:
                    return found
        for number, remote_id in enumerate(list(missing)[:MAX_SINGLE_QUERIES]):
            if number or found:
                self.pace()
            found[remote_id] = self._queried(remote_id)
        return found

    def find(self, tag: str) -> Sequence[RemoteVoice]:
        # The tag is looked for between the dashes of the id as well: were the filter ever ignored, we would adopt another's.
        carriers = [voice for voice in self._listed(prefix=tag) if tag in voice.remote_id.split("-")]
        return sorted(carriers, key=lambda voice: (voice.created, voice.remote_id))

    def held(self) -> Sequence[RemoteVoice]:
        return list(self._listed(prefix=""))

    def delete(self, remote_id: str) -> None:
        try:
            self._call("delete_voice", {"voice_id": remote_id}, effect=False)
        except VoiceNotFound:
            return

    def _queried(self, remote_id: str) -> RemoteVoice:
        try:
            answer = self._call("query_voice", {"voice_id": remote_id}, effect=False)
        except VoiceNotFound as error:
            return RemoteVoice(remote_id=remote_id, state=RemoteState.GONE, request_id=error.request_id, reason=error)
        return _voice({**_output(answer), "voice_id": remote_id}, request_id=_request_id(answer))

    def _listed(self, *, prefix: str) -> Iterator[RemoteVoice]:
        """Every voice once. Rows shift while we page, so one may show twice."""
        seen: set[str] = set()
        page_index = 0
        while True:
            asked = {"page_index": page_index, "page_size": PAGE_SIZE} | ({"prefix": prefix} if prefix else {})
            answer = self._call("list_voice", asked, effect=False)
            rows = _output(answer).get("voice_list")
            if not isinstance(rows, list):
                raise _unreadable("success without a voice_list", answer)
            fresh = [voice for voice in _voices(rows, answer) if voice.remote_id not in seen]
            yield from fresh
            seen.update(voice.remote_id for voice in fresh)
            if not fresh or len(rows) < DEFAULT_PAGE_SIZE:
                return
            page_index += 1
            self.pace()

    def _call(self, action: str, wanted: Mapping[str, Any], *, effect: bool) -> Answer:
        order = {"model": "voice-enrollment", "input": {"action": action, **wanted}}
        answer = self.client.call("POST", PATH, effect=effect, headers=self.headers, json=order)
        if answer.status < 400 and "code" not in answer.body:
            return answer
        raise self._refused(answer, effect=effect)

    def _refused(self, answer: Answer, *, effect: bool) -> ProviderError:
        return enrollment_refused(
            code=note(answer.body.get("code")),
            message=self.client.redact(str(answer.body.get("message") or "")),
            http_status=answer.status,
            request_id=_request_id(answer),
            effect=effect,
            retry_after=answer.retry_after,
        )


def _parameters(order: VoiceOrder) -> dict[str, object]:
    """The optional fields of create_voice that this model takes. Raises InvalidRequest for an option that it does not."""
    try:
        taken = TRAITS.model(order.model).enrollment
    except KeyError:
        taken = frozenset()
    if unknown := order.options.keys() - taken:
        raise InvalidRequest(f"{order.model} takes no {', '.join(sorted(unknown))}", provider=SLUG)
    language = {"language_hints": [order.language]} if order.language and order.model in TAKES_SAMPLE_LANGUAGE else {}
    return {**language, **order.options}


def _voices(rows: Sequence[object], answer: Answer) -> Iterator[RemoteVoice]:
    for row in rows:
        said = mapping(row)
        if not identifier(said.get("voice_id")):
            raise _unreadable("a row without a voice_id", answer)
        yield _voice(said, request_id=_request_id(answer))


def _voice(row: Mapping[str, Any], *, request_id: str) -> RemoteVoice:
    """`resource_link` is left behind on purpose: it leads to the recording itself."""
    raw_state = note(row.get("status"), longest=LONGEST_STATE)
    state = _STATES.get(raw_state, RemoteState.WORKING)
    reason = None
    if state is RemoteState.FAILED:
        reason = review_rejected(state=raw_state, request_id=request_id)
    return RemoteVoice(
        remote_id=str(row["voice_id"]),
        state=state,
        raw_state=raw_state,
        model=note(row.get("target_model")),
        created=note(row.get("gmt_create")),
        mark=_mark(str(row["voice_id"])),
        request_id=request_id,
        reason=reason,
    )


def _mark(voice_id: str) -> str:
    """The prefix that the voice was made with: an id is the model, the prefix and a UUID of 32 digits, joined by dashes."""
    parts = voice_id.split("-")
    return parts[-2] if len(parts) > 2 else ""


def _output(answer: Answer) -> Mapping[str, Any]:
    return mapping(answer.body.get("output"))


def _request_id(answer: Answer) -> str:
    return note(answer.body.get("request_id"))


def _unreadable(detail: str, answer: Answer) -> ProviderTrouble:
    return ProviderTrouble(detail, provider=SLUG, http_status=answer.status, request_id=_request_id(answer))

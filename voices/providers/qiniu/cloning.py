"""Voice clones (音色克隆): a place is made first and trained afterwards; the same PUT renames when it carries no recording."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from django.utils.translation import gettext_lazy as _

from voices.providers.base import OptionValue, ReadingText, RemoteState, RemoteVoice, VoiceOrder, at_once
from voices.providers.errors import (
    Act,
    CredentialsRejected,
    InvalidRequest,
    OutcomeUnknown,
    ProviderError,
    ProviderTrouble,
    RateLimited,
    Unreachable,
    VoiceNotDeletable,
    VoiceNotFound,
    VoiceNotUsable,
)
from voices.providers.http import Answer, HttpClient
from voices.providers.qiniu import quota
from voices.providers.qiniu.errors import Call, no_training_left, refused, training_failed
from voices.providers.qiniu.traits import (
    DEFAULT_LANGUAGE,
    DEFAULT_TIER,
    FREE,
    FREE_LANGUAGES,
    MODEL_ID,
    PRO,
    SLUG,
    TRAITS,
)
from voices.providers.wire import LONGEST_STATE, identifier, mapping, note

PATH = "/v1/voice-clones"
QUOTA_PATH = "/v1/quotas"
OK = "0"
# Voices that the list did not show are asked for one by one, but not more of them than this in one go.
MAX_SINGLE_QUERIES = 5
LONGEST_DEMO_URL = 1000
LONGEST_NAME = 200
MAX_DEMO_BYTES = 8 * 1024 * 1024
DEMO_SECONDS = 10.0

_STATES: Mapping[str, RemoteState] = {
    "Init": RemoteState.EMPTY,
    "Training": RemoteState.WORKING,
    "Success": RemoteState.READY,
    "Failed": RemoteState.FAILED,
}
# The name a place has until somebody gives it another: the vendor's word and five characters.
_DEFAULT_NAME = re.compile(r"复刻音色-[0-9A-Za-z]{5}")


@dataclass(frozen=True, slots=True)
class QiniuCloning:
    """`base.Cloning`, `base.Places`, `base.Inventory` and `base.Demos` in one: all are about the same resource."""

    client: HttpClient
    headers: Mapping[str, str] = field(repr=False)
    demo_hosts: tuple[str, ...] = ()
    pace: Callable[[], None] = field(default=at_once, repr=False)

    # --- Cloning ---

    def create(self, order: VoiceOrder) -> RemoteVoice:
        tier, language = _tier(order.options), order.language or DEFAULT_LANGUAGE
        _refuse_language_of_the_other_tier(language, tier=tier)
        # Since 2026-05 the page no longer names model_id. Servers of either time take it; the defaults stay unsaid for those
        # that do not know these fields yet.
        wanted = {"model_id": MODEL_ID}
        wanted |= {"language": language} if language != DEFAULT_LANGUAGE else {}
        wanted |= {"tier": tier} if tier != DEFAULT_TIER else {}
        try:
            answer = self._call(Call.CREATE, "POST", PATH, effect=True, json=wanted)
        except InvalidRequest as error:
            raise self._for_want_of_quota(error, tier=tier) or error from None
        return self._voice_in(answer, effect=True)

    def train(self, remote_id: str, order: VoiceOrder) -> RemoteVoice:
        tier = _tier(order.options)
        try:
            answer = self._call(Call.TRAIN, "PUT", _path(remote_id), effect=True, json=_training(order))
        except InvalidRequest as error:
            raise self._for_want_of_quota(error, tier=tier) or error from None
        # Accepted is accepted, whatever state the answer shows; the next look tells.
        return replace(self._voice_in(answer, effect=True), state=RemoteState.WORKING, reason=None)

    def rename(self, remote_id: str, name: str) -> None:
        self._call(Call.RENAME, "PUT", _path(remote_id), effect=False, json=_renaming(name))

    def reading_texts(self) -> Sequence[ReadingText]:
        return ()

    def look_up(self, remote_id: str, model: str) -> RemoteVoice:
        found = self._asked(remote_id)
        if found.state is not RemoteState.EMPTY:
            return found
        reason = VoiceNotUsable(
            "the place is empty",
            provider=SLUG,
            request_id=found.request_id,
            sentence=_("This place at Qiniu holds no voice yet. Train it there first, or make a new voice here."),
        )
        return replace(found, state=RemoteState.FAILED, reason=reason)

    def statuses(self, remote_ids: Sequence[str]) -> Mapping[str, RemoteVoice]:
        """One id by one query; several by one list, which has no pages."""
        wanted = list(dict.fromkeys(remote_ids))
        found: dict[str, RemoteVoice] = {}
        if len(wanted) > 1:
            rows = self._listed()
            found = {remote_id: rows[remote_id][1] for remote_id in wanted if remote_id in rows}
        missing = [remote_id for remote_id in wanted if remote_id not in found]
        for number, remote_id in enumerate(missing[:MAX_SINGLE_QUERIES]):
            if number or len(wanted) > 1:
                self.pace()
            found[remote_id] = self._asked(remote_id)
        return found

    def find(self, tag: str) -> Sequence[RemoteVoice]:
        raise InvalidRequest("a place takes no mark of ours; `unclaimed` is how a lost one comes back", provider=SLUG)

    def held(self) -> Sequence[RemoteVoice]:
        return [voice for _row, voice in self._listed().values()]

    def delete(self, remote_id: str) -> None:
        try:
            self._call(Call.DELETE, "DELETE", _path(remote_id), effect=False)
        except VoiceNotFound:
            return
        except (CredentialsRejected, VoiceNotDeletable, RateLimited, Unreachable):
            raise
        except ProviderError:
            # A public client close to the vendor notes that a delete may succeed and answer like a failure (read 2026-11).
            if not self._is_gone(remote_id):
                raise

    # --- Places ---

    def unclaimed(self, order: VoiceOrder) -> Sequence[RemoteVoice]:
        tier, language = _tier(order.options), order.language or DEFAULT_LANGUAGE
        fitting = [
            voice
            for row, voice in self._listed().values()
            if voice.state is RemoteState.EMPTY
            and _DEFAULT_NAME.fullmatch(str(row.get("name") or ""))
            and not row.get("demo_url")
            and str(row.get("tier") or DEFAULT_TIER) == tier
            and str(row.get("language") or language) == language
        ]
        return sorted(fitting, key=lambda voice: voice.remote_id)

    # --- Demos ---

    def demo(self, remote_id: str, link: str) -> bytes:
        try:
            return self._downloaded(link)
        except ProviderError as error:
            fresh = self._asked(remote_id)
            if fresh.state is RemoteState.GONE and fresh.reason is not None:
                raise fresh.reason from None
            if fresh.demo_url in ("", link):
                raise error from None
            return self._downloaded(fresh.demo_url)

    def _downloaded(self, link: str) -> bytes:
        own = urlsplit(self.client.base_url).hostname or ""
        hurried = replace(self.client, read_seconds=DEMO_SECONDS)
        return hurried.download(link, hosts=(own, *self.demo_hosts), max_bytes=MAX_DEMO_BYTES)

    # --- the parts ---

    def _asked(self, remote_id: str) -> RemoteVoice:
        try:
            answer = self._call(Call.GET, "GET", _path(remote_id), effect=False)
        except VoiceNotFound as error:
            return RemoteVoice(remote_id=remote_id, state=RemoteState.GONE, request_id=error.request_id, reason=error)
        return replace(self._voice_in(answer, effect=False), remote_id=remote_id)

    def _is_gone(self, remote_id: str) -> bool:
        try:
            return self._asked(remote_id).state is RemoteState.GONE
        except ProviderError:
            return False

    def _listed(self) -> Mapping[str, tuple[Mapping[str, Any], RemoteVoice]]:
        """Every voice of the account by its id, whoever made it."""
        answer = self._call(Call.LIST, "GET", PATH, effect=False)
        rows = _data(answer).get("voices")
        if rows is None:
            return {}
        if not isinstance(rows, list):
            raise _unclear("voices is no list", answer, effect=False)
        voices: dict[str, tuple[Mapping[str, Any], RemoteVoice]] = {}
        for row in rows:
            voice = _voice(row, request_id=_request_id(answer))
            if voice is None:
                raise _unclear("a voice without id or state", answer, effect=False)
            voices[voice.remote_id] = (row, voice)
        return voices

    def _for_want_of_quota(self, refusal: ProviderError, *, tier: str) -> ProviderError | None:
        """A 400 to a paid order does not say why; the account's quota does, where it can be had."""
        if tier != PRO:
            return None
        try:
            left = quota.left(self._quota_page, now=datetime.now(UTC))
        except ProviderError:
            return None
        return no_training_left(refusal) if left == 0 else None

    def _quota_page(self, query: Mapping[str, str]) -> Mapping[str, Any]:
        return _data(self._call(Call.QUOTA, "GET", QUOTA_PATH, effect=False, query=query))

    def _voice_in(self, answer: Answer, *, effect: bool) -> RemoteVoice:
        voice = _voice(_data(answer), request_id=_request_id(answer))
        if voice is None:
            raise _unclear("success without id or state", answer, effect=effect)
        return voice

    def _call(
        self,
        call: Call,
        method: str,
        path: str,
        *,
        effect: bool,
        json: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        answer = self.client.call(method, path, effect=effect, headers=self.headers, json=json, query=query)
        code = _code(answer)
        succeeded = 200 <= answer.status < 300
        if succeeded and code == OK:
            return answer
        if code == OK or (succeeded and not code):
            raise _unclear("the code and the HTTP status contradict each other", answer, effect=effect)
        raise refused(
            call=call,
            code=code,
            message=self.client.redact(str(answer.body.get("msg") or "")),
            http_status=answer.status,
            request_id=_request_id(answer),
            effect=effect,
            retry_after=answer.retry_after,
        )


def _training(order: VoiceOrder) -> dict[str, str]:
    return {"key": order.sample_url, "name": order.name}


def _renaming(name: str) -> dict[str, str]:
    # Not even an empty `key`: a place that costs money is trained by accident only where there is one.
    return {"name": name}


def _tier(options: Mapping[str, OptionValue]) -> str:
    """Raises InvalidRequest for an option that does not exist, and for a tier that does not."""
    if unknown := options.keys() - TRAITS.model(MODEL_ID).enrollment:
        raise InvalidRequest(f"{MODEL_ID} takes no {', '.join(sorted(unknown))}", provider=SLUG)
    tier = str(options.get("tier") or DEFAULT_TIER)
    if tier not in (FREE, PRO):
        raise InvalidRequest(f"there is no tier {tier}", provider=SLUG)
    return tier


def _refuse_language_of_the_other_tier(language: str, *, tier: str) -> None:
    if tier == PRO or language in [choice.value for choice in FREE_LANGUAGES]:
        return
    raise InvalidRequest(
        f"the free tier does not know {language}",
        provider=SLUG,
        sentence=_("A free place knows only Chinese and English. Choose one of them, or the paid tier."),
        act=Act.USER,
    )


def _path(remote_id: str) -> str:
    return f"{PATH}/{quote(remote_id, safe='')}"


def _voice(row: object, *, request_id: str) -> RemoteVoice | None:
    """None for what lacks an id or a state. A state that nobody told us about is work going on, never a voice to use."""
    if not isinstance(row, Mapping):
        return None
    remote_id, raw_state = identifier(row.get("id")), note(row.get("state"), longest=LONGEST_STATE)
    if not remote_id or not raw_state:
        return None
    state = _STATES.get(raw_state, RemoteState.WORKING)
    return RemoteVoice(
        remote_id=remote_id,
        state=state,
        raw_state=raw_state,
        demo_url=_link(row.get("demo_url")),
        model=MODEL_ID,
        name=str(row.get("name") or "")[:LONGEST_NAME],
        request_id=request_id,
        reason=training_failed(state=raw_state, request_id=request_id) if state is RemoteState.FAILED else None,
    )


def _link(value: object) -> str:
    """An audition link that can be kept, or nothing. That there is one does not mean that the voice is ready."""
    if not isinstance(value, str) or len(value) > LONGEST_DEMO_URL:
        return ""
    return value if value.startswith(("https://", "http://")) else ""


def _code(answer: Answer) -> str:
    """As text, for one public client meets it as a number and as a string; empty when there is none."""
    code = answer.body.get("code")
    return note(code) if isinstance(code, int | str) else ""


def _data(answer: Answer) -> Mapping[str, Any]:
    return mapping(answer.body.get("data"))


def _request_id(answer: Answer) -> str:
    return note(answer.body.get("reqid"))


def _unclear(detail: str, answer: Answer, *, effect: bool) -> ProviderError:
    kind = OutcomeUnknown if effect else ProviderTrouble
    return kind(
        detail, provider=SLUG, provider_code=_code(answer), http_status=answer.status, request_id=_request_id(answer)
    )

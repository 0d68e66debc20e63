"""The training service call by call: texts to read, a task, the recording by file or by link, the result.

    by file:  traintext -> task/add -> task/submitWithAudio              -> task/result …
    by link:  traintext -> task/add -> audio/v1/add         -> task/submit -> task/result …

submitWithAudio adds the recording and submits in one: calling submit after it would ask for the same paid training twice.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from voices.providers.base import ReadingText
from voices.providers.errors import Act, InvalidRequest, OutcomeUnknown, ProviderError, ProviderTrouble
from voices.providers.http import Answer, Content, HttpClient, multipart
from voices.providers.iflytek.auth import Tokens, milliseconds, training_signature
from voices.providers.iflytek.codes import integer
from voices.providers.iflytek.errors import training_refused
from voices.providers.iflytek.traits import OMNI, SLUG, TRAINING_LANGUAGES
from voices.providers.wire import identifier, mapping

TEXT_SET = 5001
"""The general set of texts to read, and the only one whose number is published."""
RESOURCE_TYPE = 12
"""What a cloned voice is called on the wire."""
TOKEN_EXPIRED = 10000
MOST_TEXTS, LONGEST_TEXT = 1_000, 1_000
"""Of a set, and characters of one: a person reads it in half a minute."""
LINK_ENDINGS = (".wav", ".mp3", ".m4a", ".pcm")
FILE_KINDS: Mapping[str, str] = {"wav": "audio/wav", "mp3": "audio/mpeg", "m4a": "audio/mp4", "pcm": "audio/pcm"}


@dataclass(frozen=True, slots=True)
class Reading:
    """Which sentence was read aloud."""

    text_id: int
    segment_id: int

    @property
    def id(self) -> str:
        return f"{self.text_id}-{self.segment_id}"


@dataclass(frozen=True, slots=True)
class TaskOrder:
    """What `task/add` is asked for. `sex` 1 man, 2 woman; `age_group` 1 child to 4 older; None leaves it to the provider.

    `tag` is a mark of ours; nothing finds a task by it, but the provider's support can. `language` as of `Traits`.
    """

    name: str
    model: str
    language: str = "zh"
    sex: int | None = None
    age_group: int | None = None
    denoise: bool = False
    mos_ratio: float = 0.0
    tag: str = ""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """`status` -1 in training, 0 failed, 1 done, 2 not submitted; None when it cannot be read. `voice_id` is the res_id."""

    status: int | None
    voice_id: str
    reason: str


def reading(of: str) -> Reading:
    """The sentence that a `ReadingText.id` means. Raises InvalidRequest for anything else."""
    text_id, dash, segment_id = of.partition("-")
    numbers = integer(text_id), integer(segment_id)
    if not dash or numbers[0] is None or numbers[1] is None:
        raise InvalidRequest(
            "no sentence to read was chosen",
            provider=SLUG,
            act=Act.USER,
            sentence=_("Please choose the sentence to read, and record exactly that one."),
        )
    return Reading(numbers[0], numbers[1])


@dataclass(frozen=True, slots=True)
class Training:
    """Each method is one call, repeated once with a fresh token when the token had expired; each may raise ProviderError.

    Tasks can be neither listed nor cancelled nor deleted, and `add_task` and the two submissions cost anew each time.
    """

    client: HttpClient
    tokens: Tokens
    clock: Callable[[], float] = time.time

    def reading_texts(self, text_id: int = TEXT_SET) -> Sequence[ReadingText]:
        data = self._data("/task/traintext", _json({"textId": text_id}), effect=False)
        segments = mapping(data).get("textSegs")
        texts = [_reading_text(text_id, each) for each in segments] if isinstance(segments, list) else []
        if not texts or len(texts) > MOST_TEXTS or None in texts:
            raise ProviderTrouble("a set of texts that cannot be read", provider=SLUG)
        return tuple(text for text in texts if text is not None)

    def add_task(self, order: TaskOrder) -> str:
        """The id of a new, empty task. It is the only thing by which it can ever be found again."""
        # Doing it without an answer leaves an empty task behind, which costs nothing; a clear refusal leaves none.
        data = self._data("/task/add", _json(_task(order)), effect=True, paid=False)
        task_id = integer(data)
        if task_id is None or task_id < 1:
            raise OutcomeUnknown("success without a usable task id", provider=SLUG)
        return str(task_id)

    def submit_with_audio(self, task_id: str, *, read: Reading, recording: bytes, ending: str = "wav") -> None:
        """Hand over a recording and begin. `ending` is one of `FILE_KINDS`; headerless PCM has no declared rate."""
        form = multipart(
            {"taskId": task_id, "textId": str(read.text_id), "textSegId": str(read.segment_id)},
            name="file",
            filename=f"recording.{ending}",
            data=recording,
            kind=FILE_KINDS[ending],
        )
        self._data("/task/submitWithAudio", form, effect=True, task_id=task_id)

    def add_audio_link(self, task_id: str, *, read: Reading, url: str) -> None:
        """Tell where the recording can be fetched; `submit` begins. The link must end in the file's ending, without a query."""
        if not url.startswith(("http://", "https://")) or not url.lower().endswith(LINK_ENDINGS):
            raise InvalidRequest(
                "a link that does not end in the ending of a sound file",
                provider=SLUG,
                act=Act.USER,
                sentence=_("The link must begin with http:// or https:// and end in .wav, .mp3, .m4a or .pcm."),
            )
        body = {"taskId": task_id, "audioUrl": url, "textId": read.text_id, "textSegId": read.segment_id}
        self._data("/audio/v1/add", _json(body), effect=True, task_id=task_id)

    def submit(self, task_id: str) -> None:
        """Begin, after `add_audio_link`."""
        self._data("/task/submit", _json({"taskId": task_id}), effect=True, task_id=task_id)

    def result(self, task_id: str) -> TaskResult:
        """Where a task stands. Raises VoiceNotFound for one that this application does not have."""
        data = mapping(self._data("/task/result", _json({"taskId": task_id}), effect=False, task_id=task_id))
        return TaskResult(
            status=integer(data.get("trainStatus")),
            voice_id=identifier(data.get("assetId")),
            reason=str(data.get("failedDesc") or data.get("failDesc") or data.get("reason") or ""),
        )

    def _data(
        self, path: str, content: Content, *, effect: bool, paid: bool | None = None, task_id: str = ""
    ) -> object:
        """`paid`: whether the call may have begun a training although it was answered with an error; as `effect` by default."""
        token = self.tokens.current()
        answer = self._sent(path, content, token, effect=effect)
        if _code(answer) == TOKEN_EXPIRED:
            # A clear no before anything was done, so even a call with an effect may go out once more.
            answer = self._sent(path, content, self.tokens.renewed(token), effect=effect)
        if answer.status >= 400 or _code(answer) != 0 or answer.body.get("flag") is False:
            raise self._refused(answer, paid=effect if paid is None else paid, task_id=task_id)
        return answer.body.get("data")

    def _sent(self, path: str, content: Content, token: str, *, effect: bool) -> Answer:
        timestamp = milliseconds(self.clock())
        known = self.tokens.credentials
        headers = {
            "X-AppId": known.app_id,
            "X-Token": token,
            "X-Time": timestamp,
            "X-Sign": training_signature(api_key=known.api_key, timestamp=timestamp, body=content.data),
        }
        return self.client.call("POST", path, effect=effect, headers=headers, content=content)

    def _refused(self, answer: Answer, *, paid: bool, task_id: str) -> ProviderError:
        return training_refused(
            code=_code(answer),
            message=self.client.redact(str(answer.body.get("desc") or answer.body.get("message") or "")),
            http_status=answer.status,
            request_id=task_id,
            paid=paid,
            retry_after=answer.retry_after,
        )


def _code(answer: Answer) -> int | None:
    """The vendor's own command line reads `retcode` where there is no `code`."""
    return integer(answer.body.get("code", answer.body.get("retcode")))


def _json(body: object) -> Content:
    return Content(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), "application/json")


def _task(order: TaskOrder) -> dict[str, Any]:
    body: dict[str, Any] = {"resourceType": RESOURCE_TYPE, "taskName": order.name, "resourceName": order.name}
    if order.model == OMNI:
        body["engineVersion"] = OMNI
    elif language := TRAINING_LANGUAGES[order.language]:
        body["language"] = language
    optional: dict[str, Any] = {
        "sex": order.sex,
        "ageGroup": order.age_group,
        "thirdUser": order.tag or None,
        # The two editions' pages name one and the same switch differently (2026-10).
        "denoise" if order.model == OMNI else "denoiseSwitch": 1 if order.denoise else None,
        "mosRatio": round(order.mos_ratio, 1) or None,
    }
    return body | {name: value for name, value in optional.items() if value is not None}


def _reading_text(text_id: int, segment: object) -> ReadingText | None:
    number, text = integer(mapping(segment).get("segId")), mapping(segment).get("segText")
    if number is None or number < 0 or not isinstance(text, str) or not 0 < len(text.strip()) <= LONGEST_TEXT:
        return None
    return ReadingText(id=Reading(text_id, number).id, text=text)

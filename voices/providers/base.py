"""What every provider offers, and the frozen values that cross the line.

A provider is a package with `TRAITS` (what it can do), `BOOK` (what its codes mean) and `build(account)` (the conversations
that it can hold). Above this floor nobody knows a provider's name: forms, pages and services read `Traits`.

Speech is sans-IO. A `SpeechSession` says which frames to send and turns received frames into events; it never touches a
socket, so the thread driver (`ws.py`), an asynchronous relay and a test drive the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Protocol

from voices.providers.errors import ProviderError

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    Text = str | _StrPromise

OptionValue = str | int | float | bool


# --- what a provider can do ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    label: Text


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing a person may turn, with its range in the provider's own units; forms and API validate against it."""

    name: str
    kind: Literal["integer", "number", "boolean", "text", "choice"]
    label: Text
    help: Text
    default: OptionValue | None = None
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    max_length: int | None = None
    choices: tuple[Choice, ...] = ()
    advanced: bool = False


@dataclass(frozen=True, slots=True)
class VoiceModel:
    """An engine of the provider. A voice is bound to the one it was enrolled with.

    `speech` and `enrollment` name the `Traits` parameters that this engine takes; whatever is not named is not sent.
    `price` is CNY per 10 000 counted characters. `stock_only`: no voice can be trained with it, the provider's own speak with it.
    `max_characters` and `max_text_bytes` (UTF-8) stand in for those of `Traits` where this engine takes other lengths.
    """

    slug: str
    label: Text
    languages: tuple[Choice, ...]
    enrollment: frozenset[str]
    speech: frozenset[str]
    audio_formats: frozenset[str]
    price: float
    stock_only: bool = False
    max_characters: int | None = None
    max_text_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the provider itself can be told to speak: from `slowest` to `fastest`, as factors of the natural pace.

    `said` gives the value of `parameter` that stands for a factor.
    """

    parameter: str
    slowest: float
    fastest: float
    said: Callable[[float], OptionValue]


@dataclass(frozen=True, slots=True)
class SampleRules:
    """What a recording must be for this provider, and what we turn it into before handing it over."""

    min_seconds: float
    max_seconds: float
    advised_seconds: tuple[float, float]
    min_speech_seconds: float
    min_sample_rate: int
    max_bytes: int
    prepared_sample_rate: int


@dataclass(frozen=True, slots=True)
class StockVoice:
    """A voice that the provider brings along; nobody trains it. `remote_id` is what its speech service takes."""

    remote_id: str
    label: Text
    model: str
    language: str


@dataclass(frozen=True, slots=True)
class Traits:
    """What a provider can do, and within which limits.

    `trains_in_two_steps`: a place is made first and without the recording, as `RemoteState.EMPTY`.
    `trains_idempotently`: handing over the same recording twice costs nothing. `speech_note` says why a voice cannot speak, or
    what to expect where `speech_is_experimental`: it rests on what the provider has not promised. `delete_note` says what
    deleting does not do. A name counts its code points or its UTF-16 units, whichever are more.
    `voices_per_call` is how many voices one call of `Cloning.statuses` tells of. `forgotten_after_days`: a voice that has not
    spoken for so long is removed by the provider.

    Which of the `speech` parameters carries what every API has a word for: `pace` the speed, `instruction_parameter` a sentence on
    how to speak, `language_parameter` the language of the text; `word_times` are the options that make word times come. None or
    empty where there is no such parameter; an engine takes only those that its `VoiceModel.speech` names.
    """

    slug: str
    label: Text
    models: tuple[VoiceModel, ...]
    default_model: str
    sample: SampleRules
    enrollment: tuple[Parameter, ...]
    speech: tuple[Parameter, ...]
    audio_formats: tuple[str, ...]
    sample_rates: tuple[int, ...]
    default_format: str
    default_sample_rate: int
    max_characters: int
    count_characters: Callable[[str], int]
    credential_names: tuple[str, ...]
    endpoint_names: tuple[str, ...]
    voice_cap: int
    enrollment_rate: float
    synthesis_rate: float
    training_deadline_seconds: float
    needs_public_url: bool
    needs_reading_text: bool
    can_rename: bool
    can_retrain: bool
    can_delete: bool
    can_find_by_tag: bool
    can_synthesize: bool
    trains_in_two_steps: bool = False
    trains_idempotently: bool = True
    voices_per_call: int = 1
    forgotten_after_days: int | None = None
    max_text_bytes: int | None = None
    max_name_length: int = 60
    speech_note: Text = ""
    speech_is_experimental: bool = False
    delete_note: Text = ""
    stock_voices: tuple[StockVoice, ...] = ()
    pace: Pace | None = None
    instruction_parameter: str = ""
    language_parameter: str = ""
    word_times: Mapping[str, OptionValue] = field(default_factory=dict)

    @property
    def trained_models(self) -> tuple[VoiceModel, ...]:
        """Those that a voice can be trained with."""
        return tuple(model for model in self.models if not model.stock_only)

    def model(self, slug: str) -> VoiceModel:
        """Raises KeyError when the provider has no such model."""
        for model in self.models:
            if model.slug == slug:
                return model
        raise KeyError(slug)

    def text_limits(self, model: str) -> tuple[int, int | None]:
        """The longest text that this model speaks: counted characters, and bytes of UTF-8 where the provider counts those."""
        engine = self.model(model)
        return engine.max_characters or self.max_characters, engine.max_text_bytes or self.max_text_bytes

    def speech_parameters(self, model: str) -> tuple[Parameter, ...]:
        taken = self.model(model).speech
        return tuple(parameter for parameter in self.speech if parameter.name in taken)

    def enrollment_parameters(self, model: str) -> tuple[Parameter, ...]:
        taken = self.model(model).enrollment
        return tuple(parameter for parameter in self.enrollment if parameter.name in taken)


# --- what crosses the line -------------------------------------------------------------------------------------------


def at_once() -> None:
    """No pace: the calls of an order follow one another."""


@dataclass(frozen=True, slots=True)
class Account:
    """A provider account as a client needs it. `key` tells accounts apart in pools and is never sent.

    An order that takes several calls, such as a list of many pages, calls `pace` before each but the first.
    """

    key: str
    credentials: Mapping[str, str] = field(repr=False)
    endpoints: Mapping[str, str]
    pace: Callable[[], None] = field(default=at_once, repr=False)


class RemoteState(StrEnum):
    """EMPTY: a place for a voice that still waits for its recording."""

    EMPTY = "empty"
    WORKING = "working"
    READY = "ready"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class ReadingText:
    """A text to read aloud for the recording, where the provider compares the two. `id` is the provider's, opaque to us; of a
    text that is one of a set, it is the set's id and its own with a dash between."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class VoiceOrder:
    """What is asked of `Cloning.create`. `tag` is our mark, `[a-z0-9]{9}`, by which the voice can be found again.

    `sample_url` is fetched by the provider; `sample` reads the same bytes for providers that take an upload. `reading` is the
    `ReadingText.id` that the speaker read.
    """

    tag: str
    name: str
    model: str
    language: str
    sample_url: str = field(repr=False)
    sample: Callable[[], bytes] = field(repr=False)
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    reading: str = ""


@dataclass(frozen=True, slots=True)
class RemoteVoice:
    """A voice as the provider sees it. `created` is the provider's own wording of the time, only good for sorting.

    `name` where it keeps one; `mark` is what stands where our tag would, whoever made the voice.

    Where a voice has no id before it is trained, `remote_id` is its task's until then: the answer that says READY brings the
    voice's own, under the key of the task's.
    """

    remote_id: str
    state: RemoteState
    raw_state: str = ""
    demo_url: str = ""
    model: str = ""
    created: str = ""
    name: str = ""
    mark: str = ""
    request_id: str = ""
    reason: ProviderError | None = None


class Cloning(Protocol):
    """Every method may raise `ProviderError`. None retries: who called decides, knowing what it costs.

    What the provider's Traits say that it cannot do raises InvalidRequest.
    """

    def create(self, order: VoiceOrder) -> RemoteVoice:
        """Take a place for a voice. EMPTY: the recording is handed over by `train`; WORKING: it already has been.

        Raises OutcomeUnknown when the place may have been taken without an answer.
        """
        ...

    def train(self, remote_id: str, order: VoiceOrder) -> RemoteVoice:
        """Hand over the recording for a place or a voice that exists; takes no further place."""
        ...

    def rename(self, remote_id: str, name: str) -> None:
        """Where `Traits.can_rename`; never trains."""
        ...

    def reading_texts(self) -> Sequence[ReadingText]:
        """Where `Traits.needs_reading_text`: what may be read aloud."""
        ...

    def look_up(self, remote_id: str, model: str) -> RemoteVoice:
        """A voice that was trained elsewhere: GONE unless this account may use it, with that model. May cost a character."""
        ...

    def statuses(self, remote_ids: Sequence[str]) -> Mapping[str, RemoteVoice]:
        """Where these voices stand, in as few calls as the provider allows. An id that is absent is not thereby failed."""
        ...

    def find(self, tag: str) -> Sequence[RemoteVoice]:
        """The voices that carry our tag, oldest first: how an unknown `create` is cleared up."""
        ...

    def delete(self, remote_id: str) -> None:
        """Frees the slot. A voice that is already gone is a success."""
        ...


class Places(Protocol):
    """Where a provider keeps places that were made and never trained, without a mark of ours. May raise `ProviderError`."""

    def unclaimed(self, order: VoiceOrder) -> Sequence[RemoteVoice]:
        """The empty places of the account that `order` could be trained in and that still have the name they were made with.

        Whether a row of ours has one of them already is for the caller to know.
        """
        ...


class Inventory(Protocol):
    """Where a provider lists all that an account holds. May raise `ProviderError`."""

    def held(self) -> Sequence[RemoteVoice]:
        """Every voice and every place of the account, whoever made it."""
        ...


class Steps(Protocol):
    """Where handing a recording over by its address and beginning to train are two calls. May raise `ProviderError`."""

    def add_link(self, remote_id: str, order: VoiceOrder) -> None:
        """Tell the place where its recording can be fetched, at `order.sample_url`; nothing begins yet."""
        ...

    def begin(self, remote_id: str) -> RemoteVoice:
        """Train what `add_link` told of. As costly as `Cloning.train`, and never twice for one place."""
        ...


class Demos(Protocol):
    """Where a provider speaks a sentence of its own with every voice that it has trained. May raise `ProviderError`."""

    def demo(self, remote_id: str, link: str) -> bytes:
        """The sound itself, some MB at most. `link` is the last `RemoteVoice.demo_url`; it is asked for anew when it has aged."""
        ...


# --- speech ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """`text` is one task's worth; `options` are validated `Traits.speech` parameters by name.

    `language` is the one that the voice was made for, empty where nobody said.
    """

    remote_id: str
    model: str
    text: str
    audio_format: str
    sample_rate: int
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    language: str = ""


@dataclass(frozen=True, slots=True)
class SpeechConnection:
    """How to reach the provider. `reuse_seconds` is how long an idle connection may wait for its next task; 0 = single use.
    `frame_timeout`: within so many seconds it says something, within `sound_timeout` something that can be heard.

    Connections are only ever shared between calls of the same `account_key`.

    `inquiry` is what has to be asked by other means before the connection is opened: it may block for seconds, so an event loop
    asks it in a thread, and it raises ProviderError when nothing may be said. None where nothing has to be asked.
    """

    account_key: str
    provider: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    open_timeout: float = 10.0
    frame_timeout: float = 30.0
    sound_timeout: float = 120.0
    reuse_seconds: float = 0.0
    inquiry: Callable[[], None] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Send:
    """A frame to send now: str for a text frame, bytes for a binary one."""

    frame: str | bytes


@dataclass(frozen=True, slots=True)
class Started:
    """The provider has taken the task. `request_id` is what its support asks for should the task not come to its `Done`."""

    request_id: str


@dataclass(frozen=True, slots=True)
class Audio:
    data: bytes


@dataclass(frozen=True, slots=True)
class Phoneme:
    """One sound, or a pause (`sil`, `sp`), in milliseconds from the start of the audio. `tone` 1-5, 0 for none."""

    name: str
    tone: int
    begin_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of text tied to a stretch of the audio, in milliseconds from its start; a pause has no text.

    `syllable` (pinyin with its tone digit), `phonemes` and `boundary` (a prosodic break follows) where the provider tells.
    """

    text: str
    begin_ms: int
    end_ms: int
    syllable: str = ""
    phonemes: tuple[Phoneme, ...] = ()
    boundary: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """About which share of the text has been spoken, 0 to 1; never goes back."""

    share: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Characters the provider has counted so far in this task: what it bills."""

    characters: int


@dataclass(frozen=True, slots=True)
class Done:
    """The provider has said everything. `request_id` is what its support asks for."""

    characters: int | None
    request_id: str


Event = Send | Started | Audio | Mark | Progress | Usage | Done


class SpeechSession(Protocol):
    """One synthesis task on one connection."""

    @property
    def request_id(self) -> str:
        """What the provider's support would ask for so far; known from the first frame on."""
        ...

    def open(self) -> Iterable[Send]:
        """Frames to send as soon as the connection stands."""
        ...

    def receive(self, frame: str | bytes) -> Iterable[Event]:
        """Take one frame in. Raises ProviderError when it means the task has failed or cannot be understood."""
        ...

    def connection_lost(self, reason: str) -> ProviderError:
        """What it means that the connection ended before `Done`."""
        ...


class Speech(Protocol):
    def connection(self, request: SpeechRequest) -> SpeechConnection:
        """Signed anew for every call, where a signature ages."""
        ...

    def session(self, request: SpeechRequest) -> SpeechSession:
        """Raises ProviderError for a request that the provider could only refuse."""
        ...

    def handshake_refused(self, status: int, body: str, *, date: str = "") -> ProviderError | None:
        """What it means that the WebSocket was refused with this HTTP answer; None when only the status tells.

        `date` is the answer's Date header, by which a wrong clock on our side shows.
        """
        ...


@dataclass(frozen=True, slots=True)
class Provider:
    """What can be asked of a provider; None where it has nothing of the kind."""

    traits: Traits
    cloning: Cloning
    speech: Speech | None
    places: Places | None = None
    inventory: Inventory | None = None
    steps: Steps | None = None
    demos: Demos | None = None

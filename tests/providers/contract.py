"""What every provider owes the floors above, asked of it over the sandbox's real wire.

A provider's test inherits `TraitsContract`, `CloningContract` and `SpeechContract` and gives a fixture `stage`; the rest of
its file is about what only that provider does.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest

from tests.providers.drivers import DRIVERS, Driver
from tests.providers.loopback import free_port
from tests.recordings import CHINESE_WOMAN, MAN, recording, silence
from tests.sample_server import SampleServer
from voiceclone_site.sandbox.faults import How
from voiceclone_site.sandbox.remote import Sandbox
from voices.providers import registry
from voices.providers.base import (
    Account,
    Audio,
    Cloning,
    Done,
    Mark,
    OptionValue,
    Parameter,
    RemoteState,
    RemoteVoice,
    Speech,
    SpeechRequest,
    Started,
    Traits,
    Usage,
    VoiceOrder,
)
from voices.providers.driving import Spoken
from voices.providers.errors import (
    ConfigurationError,
    CredentialsRejected,
    InvalidRequest,
    OutcomeUnknown,
    ProviderError,
    ProviderTrouble,
    RateLimited,
    Refused,
    SampleRejected,
    SampleUnreachable,
    StreamBroken,
    TextRejected,
    Unreachable,
    VoiceNotFound,
    VoiceNotUsable,
)
from voices.providers.redaction import MAX_DETAIL

PATIENCE = 10.0
TEXT = "今天天气怎么样？我们出去走走吧。"
_tags = itertools.count()


@dataclass(frozen=True)
class Stage:
    """One provider in the sandbox: its accounts, and what the sandbox calls the things it does."""

    slug: str
    account: Account
    other_account: Account
    wrong_key: Account
    ledger_account: str
    reading: str = ""
    create: str = "create_voice"
    train: str = "create_voice"
    """What takes the recording: the call that costs."""
    failing: How = "undeployed"
    """The fault of `train` that lets a training come to nothing."""
    unwell: Mapping[str, Any] = field(default_factory=lambda: {"status": 500, "code": "InternalError"})
    strange: Mapping[str, Any] = field(default_factory=lambda: {"status": 400, "code": "Brand.New"})
    """An error that the provider has with itself, and one that nobody has described, as the sandbox tells them."""
    status: str = "query_voice"
    synthesis: str = "synthesis"
    task: str = "run-task"
    handshake: str = "handshake"

    @property
    def traits(self) -> Traits:
        return registry.traits(self.slug)

    def cloning(self, account: Account | None = None) -> Cloning:
        return registry.build(self.slug, account or self.account).cloning

    def speech(self, account: Account | None = None) -> Speech:
        speech = registry.build(self.slug, account or self.account).speech
        assert speech is not None
        return speech

    def unreachable(self) -> Account:
        nowhere = f"127.0.0.1:{free_port()}"
        endpoints = {
            name: urlsplit(url)._replace(netloc=nowhere).geturl() for name, url in self.account.endpoints.items()
        }
        return dataclasses.replace(self.account, key="unreachable", endpoints=endpoints)

    def order(
        self,
        samples: SampleServer,
        *,
        sample: bytes | None = None,
        url: str = "",
        tag: str = "",
        options: Mapping[str, OptionValue] | None = None,
    ) -> VoiceOrder:
        data = recording(CHINESE_WOMAN) if sample is None else sample
        return VoiceOrder(
            tag=tag or f"t{next(_tags):08d}",
            name="小明",
            model=self.traits.default_model,
            language="zh",
            sample_url=url or samples.url(data),
            sample=lambda: data,
            options=options or {},
            reading=self.reading,
        )

    def made(self, order: VoiceOrder, account: Account | None = None) -> RemoteVoice:
        """The recording is the provider's, in one step or in two."""
        cloning = self.cloning(account)
        voice = cloning.create(order)
        assert (voice.state is RemoteState.EMPTY) == self.traits.trains_in_two_steps
        return cloning.train(voice.remote_id, order) if voice.state is RemoteState.EMPTY else voice

    def recordings(self, sandbox: Sandbox) -> list[str]:
        """The SHA-256 of what each voice at the provider was last trained from."""
        kept: dict[str, Callable[[], list[dict[str, Any]]]] = {
            "aliyun": sandbox.voices,
            "iflytek": sandbox.iflytek_tasks,
            "qiniu": sandbox.qiniu_voices,
        }
        return [each["sha256"] for each in kept[self.slug]()]


def refusal(call: Callable[[], object], stage: Stage) -> ProviderError:
    """The ProviderError that `call` raises, with everything that every such error owes its reader."""
    with pytest.raises(ProviderError) as caught:
        call()
    error = caught.value
    assert error.provider == stage.slug
    assert str(error.sentence).strip()
    told = f"{error} {error!r} {error.detail} {error.__cause__!r}"
    for account in (stage.account, stage.other_account, stage.wrong_key):
        for secret in account.credentials.values():
            assert secret not in told
    return error


def eventually(condition: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it never came true"


def spoken_for(stage: Stage, samples: SampleServer, account: Account | None = None) -> str:
    """The id of a voice that can speak."""
    made = stage.made(stage.order(samples), account)
    return stage.cloning(account).statuses([made.remote_id])[made.remote_id].remote_id


class TraitsContract:
    SLUG: ClassVar[str]

    @property
    def traits(self) -> Traits:
        return registry.traits(self.SLUG)

    def test_it_is_known_by_its_own_slug(self) -> None:
        assert self.traits.slug == self.SLUG

    def test_its_defaults_are_among_its_choices(self) -> None:
        model = self.traits.model(self.traits.default_model)
        assert self.traits.can_synthesize == bool(model.audio_formats) == bool(self.traits.audio_formats)
        if self.traits.can_synthesize:
            assert self.traits.default_format in model.audio_formats
            assert self.traits.default_sample_rate in self.traits.sample_rates
        else:
            assert str(self.traits.speech_note)

    def test_every_model_takes_only_what_is_described(self) -> None:
        speech = {parameter.name for parameter in self.traits.speech}
        enrollment = {parameter.name for parameter in self.traits.enrollment}
        for model in self.traits.models:
            assert model.speech <= speech
            assert model.enrollment <= enrollment
            assert model.audio_formats <= set(self.traits.audio_formats)
            assert model.languages
            assert model.price >= 0

    def test_every_parameter_is_described_and_its_default_allowed(self) -> None:
        for parameter in (*self.traits.speech, *self.traits.enrollment):
            assert str(parameter.label)
            assert str(parameter.help).endswith((".", "。"))
            self._check_default(parameter)

    def _check_default(self, parameter: Parameter) -> None:
        if parameter.kind in {"integer", "number"}:
            assert isinstance(parameter.default, int | float)
            assert parameter.minimum is not None
            assert parameter.maximum is not None
            assert parameter.minimum <= parameter.default <= parameter.maximum
        if parameter.kind == "choice":
            assert parameter.choices
        if parameter.kind == "text":
            assert parameter.max_length

    def test_its_sample_rules_can_be_met(self) -> None:
        rules = self.traits.sample
        shortest, longest = rules.advised_seconds
        assert rules.min_seconds <= shortest < longest <= rules.max_seconds
        assert rules.prepared_sample_rate >= rules.min_sample_rate
        # 16 bit mono of the longest advised length, as it is handed over.
        assert longest * rules.prepared_sample_rate * 2 < rules.max_bytes

    def test_an_account_without_credentials_or_addresses_is_not_built(self) -> None:
        with pytest.raises(ConfigurationError, match=self.traits.credential_names[0]):
            registry.build(self.SLUG, Account(key="1", credentials={}, endpoints={}))
        credentials = dict.fromkeys(self.traits.credential_names, "sk-1")
        with pytest.raises(ConfigurationError, match=self.traits.endpoint_names[0]):
            registry.build(self.SLUG, Account(key="1", credentials=credentials, endpoints={}))


class CloningContract:
    def test_it_makes_one_voice_from_the_recording_and_it_becomes_ready(
        self, stage: Stage, sandbox: Sandbox, samples: SampleServer
    ) -> None:
        voice = stage.made(stage.order(samples))
        assert voice.state in {RemoteState.WORKING, RemoteState.READY}
        assert voice.request_id
        assert stage.recordings(sandbox) == [hashlib.sha256(recording(CHINESE_WOMAN)).hexdigest()]
        told = self._status(stage, voice)
        assert told.state is RemoteState.READY
        assert told.raw_state
        assert sandbox.ledger.created(stage.ledger_account) == [told.remote_id]

    def test_it_tells_that_a_voice_is_still_in_training(
        self, stage: Stage, sandbox: Sandbox, samples: SampleServer
    ) -> None:
        sandbox.configure(train_seconds=3600)
        assert self._status(stage, stage.made(stage.order(samples))).state is RemoteState.WORKING

    def test_it_tells_that_and_why_a_voice_has_failed(
        self, stage: Stage, sandbox: Sandbox, samples: SampleServer
    ) -> None:
        sandbox.fail(operation=stage.train, how=stage.failing)
        self._failed_for_its_recording(self._status(stage, stage.made(stage.order(samples))))

    def test_it_tells_about_several_voices(self, stage: Stage, sandbox: Sandbox, samples: SampleServer) -> None:
        made = [stage.made(stage.order(samples)).remote_id for _ in range(3)]
        told = stage.cloning().statuses(made)
        assert set(told) == set(made)
        assert {voice.state for voice in told.values()} == {RemoteState.READY}

    def test_it_asks_nothing_about_no_voice(self, stage: Stage, sandbox: Sandbox) -> None:
        assert stage.cloning().statuses([]) == {}
        assert sandbox.ledger.entries() == []

    def test_a_voice_that_is_not_there_is_gone(self, stage: Stage, sandbox: Sandbox, samples: SampleServer) -> None:
        voice = stage.made(stage.order(samples))
        missing = voice.remote_id[:-4] + "0000"
        assert stage.cloning().statuses([missing])[missing].state is RemoteState.GONE
        told = stage.cloning().statuses([missing, voice.remote_id])
        assert told[missing].state is RemoteState.GONE
        assert told[voice.remote_id].state is RemoteState.READY

    def test_it_finds_the_voices_of_a_tag_and_no_others(
        self, stage: Stage, sandbox: Sandbox, samples: SampleServer
    ) -> None:
        if self._cannot(stage.traits.can_find_by_tag, lambda: stage.cloning().find("nobodyhas"), stage):
            return
        order = stage.order(samples)
        stage.made(stage.order(samples))
        wanted = [stage.made(order).remote_id for _ in range(2)]
        assert sorted(voice.remote_id for voice in stage.cloning().find(order.tag)) == sorted(wanted)
        assert stage.cloning().find("nobodyhas") == []

    def test_it_trains_a_voice_anew_without_another_slot(
        self, stage: Stage, sandbox: Sandbox, samples: SampleServer
    ) -> None:
        voice = self._status(stage, stage.made(stage.order(samples)))
        retrain = partial(stage.cloning().train, voice.remote_id, stage.order(samples, sample=recording(MAN)))
        if self._cannot(stage.traits.can_retrain, retrain, stage):
            return
        assert retrain().remote_id == voice.remote_id
        assert stage.recordings(sandbox) == [hashlib.sha256(recording(MAN)).hexdigest()]

    def test_deleting_frees_the_slot_and_twice_is_as_good_as_once(
        self, stage: Stage, sandbox: Sandbox, samples: SampleServer
    ) -> None:
        voice = stage.made(stage.order(samples))
        if self._cannot(stage.traits.can_delete, lambda: stage.cloning().delete(voice.remote_id), stage):
            return
        stage.cloning().delete(voice.remote_id)
        stage.cloning().delete(voice.remote_id)
        assert sandbox.ledger.deleted(stage.ledger_account) == [voice.remote_id]
        assert self._status(stage, voice).state is RemoteState.GONE

    @pytest.mark.parametrize("how", ["drop", "reset", "html", "half_json"])
    def test_a_create_whose_answer_is_lost_is_unknown_and_sent_once(
        self, stage: Stage, sandbox: Sandbox, samples: SampleServer, how: How
    ) -> None:
        order = stage.order(samples)
        sandbox.fail(operation=stage.create, how=how, at="after", status=502)
        self._unknown(refusal(lambda: stage.cloning().create(order), stage))
        assert len(sandbox.ledger.calls(stage.create)) == 1
        if stage.traits.can_find_by_tag:
            (adopted,) = stage.cloning().find(order.tag)
            assert [adopted.remote_id] == sandbox.ledger.created(stage.ledger_account)

    @pytest.mark.parametrize("how", ["drop", "reset", "html", "half_json"])
    def test_a_recording_that_was_handed_over_without_an_answer_is_unknown_and_sent_once(
        self, stage: Stage, sandbox: Sandbox, samples: SampleServer, how: How
    ) -> None:
        sandbox.fail(operation=stage.train, how=how, at="after", status=502)
        self._unknown(refusal(lambda: stage.made(stage.order(samples)), stage))
        assert len(sandbox.ledger.calls(stage.train)) == 1

    def test_a_provider_that_is_unwell_may_have_done_what_costs(
        self, stage: Stage, sandbox: Sandbox, samples: SampleServer
    ) -> None:
        sandbox.fail(operation=stage.train, how="error", **stage.unwell)
        self._unknown(refusal(lambda: stage.made(stage.order(samples)), stage))
        assert len(sandbox.ledger.calls(stage.train)) == 1

    def test_an_error_that_nobody_has_described_is_carried_and_can_be_kept(
        self, stage: Stage, sandbox: Sandbox, samples: SampleServer
    ) -> None:
        voice = stage.made(stage.order(samples))
        sandbox.fail(operation=stage.status, how="error", message="\x00 " + "long " * 500, **stage.strange)
        error = refusal(lambda: self._status(stage, voice), stage)
        assert error.provider_code == stage.strange["code"]
        assert len(error.detail) <= MAX_DETAIL
        error.detail.encode()
        assert "\x00" not in error.detail

    @pytest.mark.parametrize("how", ["drop", "reset", "html", "half_json"])
    def test_a_question_whose_answer_is_lost_may_be_asked_again(
        self, stage: Stage, sandbox: Sandbox, samples: SampleServer, how: How
    ) -> None:
        voice = stage.made(stage.order(samples))
        sandbox.fail(operation=stage.status, how=how, status=502)
        error = refusal(lambda: self._status(stage, voice), stage)
        assert type(error) is ProviderTrouble
        assert error.retryable
        assert len(sandbox.ledger.calls(stage.status)) == 1
        assert self._status(stage, voice).state is RemoteState.READY

    def test_nothing_happened_when_nobody_listens(self, stage: Stage, samples: SampleServer) -> None:
        error = refusal(lambda: stage.cloning(stage.unreachable()).create(stage.order(samples)), stage)
        assert type(error) is Unreachable
        assert error.retryable

    def test_a_wrong_key_is_told_as_such(self, stage: Stage, sandbox: Sandbox, samples: SampleServer) -> None:
        error = refusal(lambda: stage.cloning(stage.wrong_key).create(stage.order(samples)), stage)
        assert type(error) is CredentialsRejected
        assert stage.recordings(sandbox) == []

    def test_a_recording_without_speech_is_for_its_owner_to_change(
        self, stage: Stage, sandbox: Sandbox, samples: SampleServer
    ) -> None:
        order = stage.order(samples, sample=silence())
        if stage.traits.trains_in_two_steps:
            self._failed_for_its_recording(self._status(stage, stage.made(order)))
            return
        error = refusal(lambda: stage.cloning().create(order), stage)
        assert type(error) is SampleRejected
        assert error.provider_code
        assert error.request_id
        assert stage.recordings(sandbox) == []

    def test_a_recording_that_cannot_be_fetched_is_our_matter(
        self, stage: Stage, sandbox: Sandbox, samples: SampleServer
    ) -> None:
        if not stage.traits.needs_public_url or stage.traits.trains_in_two_steps:
            # Who fetches later tells no more than that the training failed.
            return
        nowhere = f"http://127.0.0.1:{free_port()}/samples/signed-abcdef?signature=ghijkl"
        error = refusal(lambda: stage.cloning().create(stage.order(samples, url=nowhere)), stage)
        assert type(error) is SampleUnreachable
        assert error.retryable
        assert "signed-abcdef" not in str(error)
        assert "ghijkl" not in str(error)
        assert sandbox.voices() == []

    def test_an_option_that_the_model_does_not_take_is_refused_before_asking(
        self, stage: Stage, sandbox: Sandbox, samples: SampleServer
    ) -> None:
        error = refusal(lambda: stage.cloning().create(stage.order(samples, options={"no_such_thing": 1})), stage)
        assert type(error) is InvalidRequest
        assert sandbox.ledger.entries() == []

    def test_accounts_do_not_see_each_other(self, stage: Stage, sandbox: Sandbox, samples: SampleServer) -> None:
        order = stage.order(samples)
        voice = stage.made(order)
        other = stage.cloning(stage.other_account)
        assert other.statuses([voice.remote_id])[voice.remote_id].state is RemoteState.GONE
        if stage.traits.can_find_by_tag:
            assert other.find(order.tag) == []

    def _status(self, stage: Stage, voice: RemoteVoice) -> RemoteVoice:
        return stage.cloning().statuses([voice.remote_id])[voice.remote_id]

    def _unknown(self, error: ProviderError) -> None:
        assert type(error) is OutcomeUnknown
        assert not error.retryable

    def _failed_for_its_recording(self, told: RemoteVoice) -> None:
        assert told.state is RemoteState.FAILED
        assert told.request_id
        assert isinstance(told.reason, SampleRejected)
        assert told.reason.provider_code
        assert told.reason.request_id
        assert str(told.reason.sentence)

    def _cannot(self, able: bool, call: Callable[[], object], stage: Stage) -> bool:
        """Whether the provider's Traits say no; then asking all the same is refused and never quietly ignored."""
        if not able:
            assert type(refusal(call, stage)) is InvalidRequest
        return not able


class SpeechContract:
    """Each of these is asked of both drivers: the same protocol object has to come through them alike."""

    @pytest.fixture(autouse=True)
    def _driver(self, driver: Driver) -> None:
        self.driver = driver

    @pytest.fixture
    def voice(self, stage: Stage, sandbox: Sandbox, samples: SampleServer) -> str:
        return spoken_for(stage, samples)

    def request(
        self,
        stage: Stage,
        voice: str,
        *,
        text: str = TEXT,
        audio_format: str = "",
        options: Mapping[str, OptionValue] | None = None,
    ) -> SpeechRequest:
        return SpeechRequest(
            remote_id=voice,
            model=stage.traits.default_model,
            text=text,
            audio_format=audio_format or stage.traits.default_format,
            sample_rate=stage.traits.default_sample_rate,
            options=options or {},
        )

    def spoken(self, stage: Stage, voice: str, *, account: Account | None = None, text: str = TEXT) -> list[Spoken]:
        return list(self.driver.speak(stage.speech(account), self.request(stage, voice, text=text)))

    def test_it_speaks_and_tells_what_it_counted(self, stage: Stage, sandbox: Sandbox, voice: str) -> None:
        events = self.spoken(stage, voice)
        done = events[-1]
        assert isinstance(done, Done)
        assert [type(event) for event in events].count(Done) == 1
        assert done.characters == stage.traits.count_characters(TEXT) == sandbox.ledger.characters(stage.ledger_account)
        assert done.request_id
        assert sum(len(event.data) for event in events if isinstance(event, Audio)) > 1000
        counted = [event.characters for event in events if isinstance(event, Usage)]
        assert counted == sorted(counted)

    def test_it_tells_what_support_asks_for_before_any_audio(self, stage: Stage, sandbox: Sandbox, voice: str) -> None:
        first, *others = self.spoken(stage, voice)
        assert isinstance(first, Started)
        assert first.request_id
        assert not [event for event in others if isinstance(event, Started)]

    def test_both_drivers_hear_the_same_to_the_byte(self, stage: Stage, sandbox: Sandbox, voice: str) -> None:
        heard = []
        for kind in DRIVERS:
            driver: Driver = kind()
            events = list(driver.speak(stage.speech(), self.request(stage, voice)))
            driver.close()
            heard.append([event for event in events if isinstance(event, Audio | Mark | Usage)])
        in_thread, on_loop = heard
        assert in_thread == on_loop

    def test_it_speaks_every_format_that_the_model_names(self, stage: Stage, sandbox: Sandbox, voice: str) -> None:
        beginnings = {"mp3": (b"ID3", b"\xff"), "wav": (b"RIFF",), "opus": (b"OggS",), "pcm": (b"",)}
        for audio_format in sorted(stage.traits.model(stage.traits.default_model).audio_formats):
            events = self.driver.speak(
                stage.speech(), self.request(stage, voice, text="你好。", audio_format=audio_format)
            )
            audio = b"".join(event.data for event in events if isinstance(event, Audio))
            assert audio.startswith(beginnings[audio_format]), audio_format

    def test_an_option_that_the_model_does_not_take_is_refused_before_asking(
        self, stage: Stage, sandbox: Sandbox, voice: str
    ) -> None:
        request = self.request(stage, voice, options={"no_such_thing": 1})
        error = refusal(lambda: list(self.driver.speak(stage.speech(), request)), stage)
        assert type(error) is InvalidRequest
        assert sandbox.ledger.calls(stage.task) == []

    def test_empty_text_is_refused_before_asking(self, stage: Stage, sandbox: Sandbox, voice: str) -> None:
        assert type(refusal(lambda: self.spoken(stage, voice, text=" \n"), stage)) is TextRejected
        assert sandbox.ledger.calls(stage.task) == []

    def test_nothing_happened_when_nobody_listens(self, stage: Stage) -> None:
        error = refusal(lambda: self.spoken(stage, "some-voice", account=stage.unreachable()), stage)
        assert type(error) is Unreachable
        assert error.retryable

    def test_a_wrong_key_is_told_as_such(self, stage: Stage, sandbox: Sandbox) -> None:
        error = refusal(lambda: self.spoken(stage, "some-voice", account=stage.wrong_key), stage)
        assert type(error) is CredentialsRejected

    def test_a_voice_that_is_not_there_cannot_speak(self, stage: Stage, sandbox: Sandbox, voice: str) -> None:
        error = refusal(lambda: self.spoken(stage, voice[:-4] + "0000"), stage)
        assert isinstance(error, VoiceNotUsable | VoiceNotFound)
        assert error.request_id

    def test_the_voice_of_another_account_cannot_speak(self, stage: Stage, sandbox: Sandbox, voice: str) -> None:
        error = refusal(lambda: self.spoken(stage, voice, account=stage.other_account), stage)
        assert isinstance(error, VoiceNotUsable | VoiceNotFound)

    def test_a_voice_in_training_cannot_speak(self, stage: Stage, sandbox: Sandbox, voice: str) -> None:
        sandbox.set_status(voice, "DEPLOYING")
        assert isinstance(refusal(lambda: self.spoken(stage, voice), stage), Refused)

    @pytest.mark.parametrize("how", ["drop", "reset", "close", "half_json"])
    def test_a_stream_lost_before_audio_may_be_tried_again(
        self, stage: Stage, sandbox: Sandbox, voice: str, how: str
    ) -> None:
        sandbox.fail(operation=stage.synthesis, how=how)  # type: ignore[arg-type]
        error = refusal(lambda: self.spoken(stage, voice), stage)
        assert isinstance(error, StreamBroken | ProviderTrouble)
        assert error.retryable
        assert error.request_id
        assert len(sandbox.ledger.calls(stage.task)) == 1
        assert isinstance(self.spoken(stage, voice)[-1], Done)

    @pytest.mark.parametrize("how", ["drop", "reset", "close", "half_json", "error"])
    def test_a_stream_lost_after_audio_is_broken_and_not_tried_again(
        self, stage: Stage, sandbox: Sandbox, voice: str, how: str
    ) -> None:
        sandbox.fail(operation=stage.synthesis, how=how, at="after")  # type: ignore[arg-type]
        heard: list[Spoken] = []
        error = refusal(
            lambda: heard.extend(event for event in self.driver.speak(stage.speech(), self.request(stage, voice))),
            stage,
        )
        assert isinstance(error, StreamBroken | ProviderTrouble)
        assert not error.retryable
        assert len(sandbox.ledger.calls(stage.task)) == 1

    def test_a_refusal_for_haste_says_so(self, stage: Stage, sandbox: Sandbox, voice: str) -> None:
        sandbox.configure(synthesis_rate=1)
        error = refusal(lambda: [self.spoken(stage, voice) for _ in range(3)], stage)
        assert type(error) is RateLimited
        assert error.retryable

    def test_leaving_early_ends_the_task_at_the_provider(self, stage: Stage, sandbox: Sandbox, voice: str) -> None:
        sandbox.configure(speed=1)
        spoken = self.driver.speak(stage.speech(), self.request(stage, voice, text=TEXT * 20))
        next(event for event in spoken if isinstance(event, Audio))
        spoken.close()
        eventually(lambda: sandbox.ledger.entries(operation="disconnect"))
        assert sandbox.ledger.characters(stage.ledger_account) < stage.traits.count_characters(TEXT * 20)
        sandbox.configure(speed=0)
        assert isinstance(self.spoken(stage, voice)[-1], Done)
        assert len(sandbox.ledger.calls(stage.handshake)) == 2

    def test_it_keeps_its_connection_as_long_as_it_says_and_never_shares_it(
        self, stage: Stage, sandbox: Sandbox, samples: SampleServer, voice: str
    ) -> None:
        others = spoken_for(stage, samples, stage.other_account)
        for _ in range(2):
            self.spoken(stage, voice)
            self.spoken(stage, others, account=stage.other_account)
        reused = stage.speech().connection(self.request(stage, voice)).reuse_seconds > 0
        assert len(sandbox.ledger.calls(stage.handshake, stage.ledger_account)) == (1 if reused else 2)
        assert len(sandbox.ledger.calls(stage.handshake)) == (2 if reused else 4)

    def test_a_failed_task_takes_its_connection_with_it(self, stage: Stage, sandbox: Sandbox, voice: str) -> None:
        refusal(lambda: self.spoken(stage, voice[:-4] + "0000"), stage)
        self.spoken(stage, voice)
        assert len(sandbox.ledger.calls(stage.handshake)) == 2

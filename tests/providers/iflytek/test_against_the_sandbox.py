"""iFlytek against the sandbox, which shares no code with this client and checks every signature to the byte."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping

import pytest
from django.utils.translation import override

from tests.portal import iflytek_endpoints
from tests.providers.iflytek.codes import SYNTHESIS, TRAINING
from tests.providers.loopback import free_port
from tests.recordings import CHINESE_WOMAN, recording, silence
from tests.sandbox_server import IFLYTEK, IFLYTEK_ACCOUNT, OTHER_IFLYTEK
from voiceclone_site.sandbox.remote import Sandbox
from voices.providers import registry, ws
from voices.providers.base import (
    Account,
    Audio,
    Done,
    Mark,
    OptionValue,
    Progress,
    Provider,
    RemoteState,
    SpeechRequest,
    Usage,
    VoiceOrder,
)
from voices.providers.errors import (
    AccountBlocked,
    Act,
    ClockSkewed,
    CredentialsRejected,
    InvalidRequest,
    OutcomeUnknown,
    ProviderError,
    ProviderTrouble,
    RateLimited,
    SampleRejected,
    SlotsExhausted,
    StreamBroken,
    TextRejected,
    Unreachable,
    VoiceNotFound,
    VoiceNotUsable,
)
from voices.providers.iflytek.cloning import IflytekCloning
from voices.providers.iflytek.speech import IflytekSpeech
from voices.providers.iflytek.training import Reading, TaskOrder
from voices.providers.iflytek.traits import LANGUAGE_IDS, STOCK_VOICES, STYLES

TEXT = "今天天气怎么样？我们出去走走吧。"
STOCK = "x5_lingxiaoxuan_flow"
OMNI, STANDARD, SUPER_HUMANOID = "omni_v1", "standard", "super_humanoid"


@pytest.fixture
def provider(sandbox: Sandbox) -> Provider:
    sandbox.configure(iflytek={"signature": "strict"})
    return built(sandbox)


@pytest.fixture
def voice(provider: Provider) -> str:
    return trained(provider)


def built(
    sandbox: Sandbox,
    credentials: Mapping[str, str] = IFLYTEK,
    *,
    key: str = "1",
    endpoints: Mapping[str, str] | None = None,
) -> Provider:
    account = Account(key=key, credentials=credentials, endpoints=endpoints or iflytek_endpoints(sandbox))
    return registry.build("iflytek", account)


def order(
    *,
    model: str = OMNI,
    language: str = "zh",
    sample: bytes | None = None,
    options: Mapping[str, OptionValue] | None = None,
    read: str = "5001-1",
) -> VoiceOrder:
    data = recording(CHINESE_WOMAN) if sample is None else sample
    return VoiceOrder(
        tag="t00000001",
        name="小明",
        model=model,
        language=language,
        sample_url="",
        sample=lambda: data,
        options=options or {},
        reading=read,
    )


def trained(provider: Provider, wanted: VoiceOrder | None = None) -> str:
    wanted = wanted or order()
    task = provider.cloning.create(wanted)
    assert task.state is RemoteState.EMPTY
    assert provider.cloning.train(task.remote_id, wanted).state is RemoteState.WORKING
    told = provider.cloning.statuses([task.remote_id])[task.remote_id]
    assert told.state is RemoteState.READY
    return told.remote_id


def request(
    voice: str,
    text: str = TEXT,
    *,
    model: str = OMNI,
    audio_format: str = "pcm",
    sample_rate: int = 16000,
    options: Mapping[str, OptionValue] | None = None,
    language: str = "",
) -> SpeechRequest:
    return SpeechRequest(
        remote_id=voice,
        model=model,
        text=text,
        audio_format=audio_format,
        sample_rate=sample_rate,
        options=options or {},
        language=language,
    )


def spoken(provider: Provider, what: SpeechRequest) -> list[ws.Spoken]:
    assert provider.speech is not None
    return list(ws.speak(provider.speech, what))


def audio(events: list[ws.Spoken]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, Audio))


def refusal(provider: Provider, what: SpeechRequest) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        spoken(provider, what)
    told = f"{caught.value} {caught.value!r} {caught.value.detail} {caught.value.__cause__!r}"
    assert "k" * 32 not in told
    assert "s" * 32 not in told
    assert "authorization" not in told
    return caught.value


# --- training ---


def test_it_clones_a_voice_by_file_in_three_calls(provider: Provider, sandbox: Sandbox) -> None:
    options: dict[str, OptionValue] = {"sex": "female", "age_group": "youth", "denoise": True, "mos_ratio": 0.5}
    voice = trained(provider, order(options=options))
    (task,) = sandbox.iflytek_tasks(IFLYTEK_ACCOUNT)
    assert task["res_id"] == voice
    assert task["sha256"] == hashlib.sha256(recording(CHINESE_WOMAN)).hexdigest()
    wanted = {"sex": 2, "age_group": 2, "denoise": 1, "mos_ratio": 0.5, "engine_version": "omni_v1", "text_id": 5001}
    assert {name: task["order"][name] for name in wanted} == wanted
    calls = {operation: len(sandbox.ledger.calls(f"ifly:{operation}")) for operation in ("submitWithAudio", "submit")}
    assert calls == {"submitWithAudio": 1, "submit": 0}
    assert sandbox.ledger.created(IFLYTEK_ACCOUNT) == [voice]


def test_it_clones_a_voice_by_link_in_four_calls(provider: Provider, sandbox: Sandbox) -> None:
    cloning = provider.cloning
    assert isinstance(cloning, IflytekCloning)
    task_id = cloning.training.add_task(TaskOrder(name="MyVoice", model=OMNI))
    assert cloning.statuses([task_id])[task_id].state is RemoteState.EMPTY
    cloning.training.add_audio_link(task_id, read=Reading(5001, 1), url="https://example.com/voice.wav")
    cloning.training.submit(task_id)
    assert cloning.statuses([task_id])[task_id].state is RemoteState.READY
    assert len(sandbox.ledger.calls("ifly:submit")) == len(sandbox.ledger.calls("ifly:audio/add")) == 1


def test_it_offers_what_may_be_read_aloud(provider: Provider) -> None:
    texts = provider.cloning.reading_texts()
    assert len(texts) == 20
    assert texts[0].id == "5001-1"
    assert texts[0].text.endswith("。")


@pytest.mark.parametrize("language", ["zh", "en", "ja", "ko", "ru"])
def test_a_standard_voice_is_trained_for_its_language_and_speaks_it(
    language: str, provider: Provider, sandbox: Sandbox
) -> None:
    voice = trained(provider, order(model=STANDARD, language=language))
    (task,) = sandbox.iflytek_tasks()
    assert task["order"]["language"] == {"zh": "cn", "ja": "jp"}.get(language, language)
    assert isinstance(spoken(provider, request(voice, "12", model=STANDARD, language=language))[-1], Done)


def test_it_tells_that_a_voice_is_still_in_training(provider: Provider, sandbox: Sandbox) -> None:
    sandbox.configure(train_seconds=3600)
    task = provider.cloning.create(order())
    provider.cloning.train(task.remote_id, order())
    told = provider.cloning.statuses([task.remote_id])[task.remote_id]
    assert (told.state, told.raw_state) == (RemoteState.WORKING, "-1")


@pytest.mark.parametrize(
    ("sample", "options", "part"),
    [
        ("short", {}, "does not match the sentence"),
        ("silent", {}, "quality"),
        ("low rate", {}, "sound file"),
        ("good", {"mos_ratio": 5.0}, "quality"),
    ],
)
def test_a_recording_that_will_not_do_is_told_in_words(
    sample: str, options: Mapping[str, OptionValue], part: str, provider: Provider
) -> None:
    made = {
        "short": lambda: recording(CHINESE_WOMAN, 2),
        "silent": lambda: silence(12),
        "low rate": lambda: recording(CHINESE_WOMAN, rate=16000),
        "good": lambda: recording(CHINESE_WOMAN),
    }
    wanted = order(sample=made[sample](), options=options)
    task = provider.cloning.create(wanted)
    provider.cloning.train(task.remote_id, wanted)
    told = provider.cloning.statuses([task.remote_id])[task.remote_id]
    assert told.state is RemoteState.FAILED
    assert isinstance(told.reason, SampleRejected)
    assert told.reason.detail
    with override("en"):
        assert part in str(told.reason.sentence)


def test_a_reading_of_another_text_fails_the_training(provider: Provider, sandbox: Sandbox) -> None:
    sandbox.fail(operation="ifly:submitWithAudio", how="mismatch")
    task = provider.cloning.create(order())
    provider.cloning.train(task.remote_id, order())
    reason = provider.cloning.statuses([task.remote_id])[task.remote_id].reason
    assert reason is not None
    with override("en"):
        assert "does not match the sentence" in str(reason.sentence)


def test_a_sentence_that_there_is_not_is_the_users_to_choose_again(provider: Provider) -> None:
    task = provider.cloning.create(order())
    with pytest.raises(InvalidRequest) as caught:
        provider.cloning.train(task.remote_id, order(read="5001-99"))
    assert (caught.value.provider_code, caught.value.act) == ("20002", Act.USER)


@pytest.mark.parametrize("calls", [1, 2])
def test_a_token_that_expires_in_the_middle_is_renewed_once(calls: int, provider: Provider, sandbox: Sandbox) -> None:
    sandbox.configure(iflytek={"token_calls": calls})
    assert trained(provider)
    assert len(sandbox.ledger.calls("ifly:submitWithAudio", IFLYTEK_ACCOUNT)) <= 2
    assert len(sandbox.iflytek_tasks()) == 1


@pytest.mark.parametrize(("code", "kind", "retryable", "act"), TRAINING[1:])
def test_it_translates_every_code_of_training(
    code: int, kind: type[ProviderError], retryable: bool, act: Act, provider: Provider, sandbox: Sandbox
) -> None:
    sandbox.fail(operation="ifly:traintext", how="error", code=str(code), message="no", status=200)
    with pytest.raises(ProviderError) as caught:
        provider.cloning.reading_texts()
    error = caught.value
    assert (type(error), error.retryable, error.act, error.provider_code) == (kind, retryable, act, str(code))


@pytest.mark.parametrize(
    ("differs", "kind"),
    [
        ({"api_key": "x" * 32}, CredentialsRejected),
        ({"app_id": "ffffffff"}, CredentialsRejected),
    ],
)
def test_wrong_credentials_make_nothing(
    differs: Mapping[str, str], kind: type[ProviderError], provider: Provider, sandbox: Sandbox
) -> None:
    with pytest.raises(kind):
        built(sandbox, {**IFLYTEK, **differs}, key="wrong").cloning.create(order())
    assert sandbox.iflytek_tasks() == []


@pytest.mark.parametrize(
    ("limits", "kind", "retryable"),
    [({"trainings": 1}, SlotsExhausted, False), ({"parallel_trainings": 1}, SlotsExhausted, True)],
)
def test_what_the_contract_allows_is_told_when_it_is_used_up(
    limits: Mapping[str, int], kind: type[ProviderError], retryable: bool, provider: Provider, sandbox: Sandbox
) -> None:
    if "parallel_trainings" in limits:
        sandbox.configure(train_seconds=3600)
    sandbox.configure(iflytek=dict(limits))
    task = provider.cloning.create(order())
    provider.cloning.train(task.remote_id, order())

    def once_more() -> None:
        provider.cloning.train(provider.cloning.create(order()).remote_id, order())

    with pytest.raises(kind) as caught:
        once_more()
    assert caught.value.retryable is retryable


@pytest.mark.parametrize(
    ("how", "at"),
    [
        *((how, at) for how in ("drop", "reset", "html") for at in ("before", "after")),
        ("half_json", "after"),
        ("cut_body", "after"),
    ],
)
def test_a_submission_whose_answer_is_lost_is_unknown_sent_once_and_its_task_tells(
    how: str, at: str, provider: Provider, sandbox: Sandbox
) -> None:
    task = provider.cloning.create(order())
    sandbox.fail(operation="ifly:submitWithAudio", how=how, at=at, status=502)  # type: ignore[arg-type]
    with pytest.raises(OutcomeUnknown):
        provider.cloning.train(task.remote_id, order())
    assert len(sandbox.ledger.calls("ifly:submitWithAudio")) == 1
    told = provider.cloning.statuses([task.remote_id])[task.remote_id]
    assert told.state is (RemoteState.READY if at == "after" else RemoteState.EMPTY)


def test_training_the_same_task_twice_is_refused_by_the_provider(provider: Provider, sandbox: Sandbox) -> None:
    task = provider.cloning.create(order())
    provider.cloning.train(task.remote_id, order())
    with pytest.raises(InvalidRequest):
        provider.cloning.train(task.remote_id, order())
    assert len(sandbox.ledger.created(IFLYTEK_ACCOUNT)) == 1


def test_accounts_do_not_see_each_other(provider: Provider, sandbox: Sandbox, voice: str) -> None:
    other = built(sandbox, OTHER_IFLYTEK, key="2")
    task_id = sandbox.iflytek_tasks()[0]["task_id"]
    assert other.cloning.statuses([task_id])[task_id].state is RemoteState.GONE
    assert type(refusal(other, request(voice))) is VoiceNotFound
    assert other.cloning.look_up(voice, OMNI).state is RemoteState.GONE


def test_a_voice_that_was_trained_elsewhere_is_believed_for_one_character(
    provider: Provider, sandbox: Sandbox, voice: str
) -> None:
    assert provider.cloning.look_up(voice, OMNI).state is RemoteState.READY
    assert sandbox.ledger.characters(IFLYTEK_ACCOUNT) == 1
    assert provider.cloning.look_up(voice, STANDARD).state is RemoteState.GONE
    assert provider.cloning.look_up(voice[:-5] + "zzzzz", OMNI).state is RemoteState.GONE


def test_nothing_happened_when_nobody_listens(sandbox: Sandbox) -> None:
    nowhere = {
        name: url.split("://")[0] + f"://127.0.0.1:{free_port()}/" for name, url in iflytek_endpoints(sandbox).items()
    }
    deaf = built(sandbox, key="nowhere", endpoints=nowhere)
    with pytest.raises(Unreachable):
        deaf.cloning.create(order())
    assert type(refusal(deaf, request("v"))) is Unreachable


# --- speech ---


@pytest.mark.parametrize("frames", ["live", "doc"])
@pytest.mark.parametrize("model", [OMNI, SUPER_HUMANOID])
def test_it_speaks_and_tells_what_it_counted(
    frames: str, model: str, provider: Provider, sandbox: Sandbox, voice: str
) -> None:
    sandbox.configure(iflytek={"frames": frames})
    events = spoken(provider, request(voice if model == OMNI else STOCK, model=model))
    done = events[-1]
    assert isinstance(done, Done)
    assert done.characters == len(TEXT) == sandbox.ledger.characters(IFLYTEK_ACCOUNT)
    assert "@" in done.request_id
    assert [event.characters for event in events if isinstance(event, Usage)] == [len(TEXT)]
    shares = [event.share for event in events if isinstance(event, Progress)]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert 2 < len(audio(events)) / 32000 < 10


@pytest.mark.parametrize("model", [OMNI, SUPER_HUMANOID])
@pytest.mark.parametrize(
    ("audio_format", "beginning"), [("mp3", (b"ID3", b"\xff")), ("wav", (b"RIFF",)), ("pcm", (b"",))]
)
def test_it_speaks_every_format_at_every_rate(
    model: str, audio_format: str, beginning: tuple[bytes, ...], provider: Provider, voice: str
) -> None:
    for rate in registry.traits("iflytek").sample_rates:
        chosen = voice if model == OMNI else STOCK
        what = request(chosen, "你好。", model=model, audio_format=audio_format, sample_rate=rate)
        heard = audio(spoken(provider, what))
        assert heard.startswith(beginning)
        assert len(heard) > 1000
        if audio_format == "wav":
            assert int.from_bytes(heard[24:28], "little") == rate


def test_every_style_is_one_that_the_service_has(provider: Provider, voice: str) -> None:
    for style in STYLES:
        assert isinstance(spoken(provider, request(voice, "好。", options={"style": style.value}))[-1], Done)


def test_every_language_is_one_that_a_multi_style_voice_speaks(provider: Provider, voice: str) -> None:
    for language in LANGUAGE_IDS:
        assert isinstance(spoken(provider, request(voice, "12", options={"language": language}))[-1], Done)


def test_every_stock_voice_is_one_that_the_service_knows(provider: Provider) -> None:
    for stock in STOCK_VOICES:
        assert isinstance(spoken(provider, request(stock.remote_id, "好。", model=SUPER_HUMANOID))[-1], Done)


def test_every_option_of_a_cloned_voice_reaches_the_service(provider: Provider, sandbox: Sandbox, voice: str) -> None:
    options: dict[str, OptionValue] = {
        "speed": 60,
        "volume": 70,
        "pitch": 40,
        "style": "happy",
        "impact_factor": 3,
        "reg": "1",
        "rdn": "2",
        "bgs": "1",
        "rhy": "1",
    }
    assert isinstance(spoken(provider, request(voice, options=options))[-1], Done)
    (entry,) = sandbox.ledger.calls("ifly:clone")
    assert entry.body["parameter"]["tts"] == {
        "vcn": "x6_clone",
        "speed": 60,
        "volume": 70,
        "pitch": 40,
        "style": "happy",
        "impactFactor": 3,
        "reg": 1,
        "rdn": 2,
        "bgs": 1,
        "rhy": 1,
        "pybuffer": 1,
        "pybuf": {"encoding": "utf8", "compress": "raw", "format": "plain"},
        "audio": {"encoding": "raw", "sample_rate": 16000, "channels": 1, "bit_depth": 16, "frame_size": 0},
    }


def test_every_option_of_a_stock_voice_reaches_the_service(provider: Provider, sandbox: Sandbox) -> None:
    options: dict[str, OptionValue] = {
        "speed": 60,
        "volume": 70,
        "pitch": 40,
        "oral_level": "high",
        "spark_assist": False,
        "stop_split": True,
        "remain": True,
        "reg": "1",
        "rdn": "2",
        "bgs": "1",
        "rhy": "1",
        "frame_size": 100,
    }
    what = request("x4_lingfeiyi_oral", model=SUPER_HUMANOID, options=options)
    assert isinstance(spoken(provider, what)[-1], Done)
    (entry,) = sandbox.ledger.calls("ifly:tts")
    assert entry.body["parameter"] == {
        "oral": {"oral_level": "high", "spark_assist": 0, "stop_split": 1, "remain": 1},
        "tts": {
            "vcn": "x4_lingfeiyi_oral",
            "speed": 60,
            "volume": 70,
            "pitch": 40,
            "reg": 1,
            "rdn": 2,
            "bgs": 1,
            "rhy": 1,
            "audio": {"encoding": "raw", "sample_rate": 16000, "channels": 1, "bit_depth": 16, "frame_size": 100},
        },
    }


def test_faster_speech_is_shorter(provider: Provider, voice: str) -> None:
    slow, fast = (len(audio(spoken(provider, request(voice, options={"speed": speed})))) for speed in (0, 100))
    assert fast < 0.5 * slow


@pytest.mark.parametrize("frames", ["live", "doc"])
@pytest.mark.parametrize(("model", "rhy"), [(OMNI, "1"), (OMNI, "3"), (SUPER_HUMANOID, "1")])
def test_times_of_sounds_follow_the_text_and_fill_the_audio(
    frames: str, model: str, rhy: str, provider: Provider, sandbox: Sandbox, voice: str
) -> None:
    sandbox.configure(iflytek={"frames": frames})
    events = spoken(provider, request(voice if model == OMNI else STOCK, model=model, options={"rhy": rhy}))
    marks = [event for event in events if isinstance(event, Mark)]
    assert [mark.text for mark in marks if mark.syllable] == [sign for sign in TEXT if sign not in "？。"]
    assert all(mark.syllable[-1] in "12345" for mark in marks if mark.syllable)
    sounds = [sound for mark in marks for sound in mark.phonemes]
    assert sounds[0].begin_ms == 0
    assert [sound.begin_ms for sound in sounds] == sorted(sound.begin_ms for sound in sounds)
    milliseconds = len(audio(events)) / 32
    assert abs(sounds[-1].end_ms - milliseconds) <= 10


def test_a_long_text_is_streamed_into_the_super_humanoid_service(provider: Provider, sandbox: Sandbox) -> None:
    text = "今天天气很好。" + " " * 6000 + "我们出去走走吧。"
    what = request(STOCK, text, model=SUPER_HUMANOID, sample_rate=8000, options={"speed": 100})
    done = spoken(provider, what)[-1]
    assert isinstance(done, Done)
    assert done.characters == len(text) == sandbox.ledger.characters(IFLYTEK_ACCOUNT)
    assert [entry.body["header"]["status"] for entry in sandbox.ledger.calls("ifly:tts")] == [0, 2]


def test_a_text_of_2001_characters_is_refused_before_asking(provider: Provider, sandbox: Sandbox, voice: str) -> None:
    assert type(refusal(provider, request(voice, "字" * 2001))) is TextRejected
    assert sandbox.ledger.calls("ifly:clone") == sandbox.ledger.calls("ifly:handshake") == []


def test_a_voice_of_the_other_edition_cannot_speak(provider: Provider, voice: str) -> None:
    error = refusal(provider, request(voice, model=STANDARD))
    assert (type(error), error.provider_code) == (VoiceNotFound, "26004")
    assert error.request_id


def test_a_stock_voice_that_the_service_does_not_offer_cannot_speak(provider: Provider, sandbox: Sandbox) -> None:
    error = refusal(provider, request("x9_nobody", model=SUPER_HUMANOID))
    assert (type(error), error.provider_code) == (VoiceNotUsable, "10163")
    sandbox.configure(iflytek={"unlicensed_vcns": [STOCK]})
    error = refusal(provider, request(STOCK, model=SUPER_HUMANOID))
    assert (type(error), error.provider_code) == (AccountBlocked, "11200")


@pytest.mark.parametrize(("code", "kind", "retryable", "act"), SYNTHESIS)
def test_it_translates_every_code_of_speech(
    code: int, kind: type[ProviderError], retryable: bool, act: Act, provider: Provider, sandbox: Sandbox
) -> None:
    sandbox.fail(operation="ifly:tts", how="error", code=str(code), message="no", at="start")
    error = refusal(provider, request(STOCK, model=SUPER_HUMANOID))
    assert (type(error), error.retryable, error.act, error.provider_code) == (kind, retryable, act, str(code))
    assert error.request_id


@pytest.mark.parametrize("how", ["half_json", "bad_base64"])
def test_a_first_frame_that_is_broken_is_worth_another_try(how: str, provider: Provider, sandbox: Sandbox) -> None:
    sandbox.fail(operation="ifly:tts", how=how)  # type: ignore[arg-type]
    error = refusal(provider, request(STOCK, model=SUPER_HUMANOID))
    assert (type(error), error.retryable) == (ProviderTrouble, True)
    assert isinstance(spoken(provider, request(STOCK, model=SUPER_HUMANOID))[-1], Done)


@pytest.mark.parametrize("how", ["error", "flat_error", "drop", "reset", "close"])
def test_what_breaks_after_audio_is_not_tried_again(how: str, provider: Provider, sandbox: Sandbox, voice: str) -> None:
    sandbox.fail(operation="ifly:clone", how=how, at="after", code="10700")  # type: ignore[arg-type]
    error = refusal(provider, request(voice))
    assert isinstance(error, StreamBroken | ProviderTrouble)
    assert not error.retryable
    assert len(sandbox.ledger.calls("ifly:handshake")) == 1


@pytest.mark.parametrize("how", ["no_sid", "extra_fields"])
def test_what_is_only_unusual_is_spoken(how: str, provider: Provider, sandbox: Sandbox, voice: str) -> None:
    sandbox.fail(operation="ifly:clone", how=how)  # type: ignore[arg-type]
    assert isinstance(spoken(provider, request(voice))[-1], Done)


def test_a_provider_that_falls_silent_is_not_waited_for(provider: Provider, sandbox: Sandbox, voice: str) -> None:
    sandbox.fail(operation="ifly:clone", how="stall")
    speech = provider.speech
    assert isinstance(speech, IflytekSpeech)
    hasty = dataclasses.replace(speech, frame_seconds=0.5)
    with pytest.raises(StreamBroken) as caught:
        list(ws.speak(hasty, request(voice)))
    assert caught.value.request_id


@pytest.mark.parametrize("differs", [{"api_key": "x" * 32}, {"api_secret": "x" * 32}])
def test_a_wrong_key_or_secret_is_told_as_such(
    differs: Mapping[str, str], provider: Provider, sandbox: Sandbox
) -> None:
    wrong = built(sandbox, {**IFLYTEK, **differs}, key="wrong")
    error = refusal(wrong, request(STOCK, model=SUPER_HUMANOID))
    assert (type(error), error.http_status) == (CredentialsRejected, 401)


def test_an_application_that_is_not_the_keys_is_told_as_such(provider: Provider, sandbox: Sandbox) -> None:
    wrong = built(sandbox, {**IFLYTEK, "app_id": "ffffffff"}, key="wrong")
    error = refusal(wrong, request(STOCK, model=SUPER_HUMANOID))
    assert (type(error), error.provider_code) == (CredentialsRejected, "10313")


@pytest.mark.parametrize(("shift", "words"), [(600.0, "behind"), (-600.0, "ahead of")])
def test_a_clock_ten_minutes_off_is_named_with_its_difference(
    shift: float, words: str, provider: Provider, sandbox: Sandbox
) -> None:
    sandbox.configure(iflytek={"clock_shift": shift})
    error = refusal(provider, request(STOCK, model=SUPER_HUMANOID))
    assert isinstance(error, ClockSkewed)
    assert words in error.detail
    assert any(f"{seconds} s" in error.detail for seconds in range(597, 604))
    assert len(sandbox.ledger.calls("ifly:handshake")) == 1


@pytest.mark.parametrize(
    ("limits", "kind", "code"),
    [
        ({"characters": 1}, AccountBlocked, "11200"),
        ({"daily_calls": 1}, AccountBlocked, "11201"),
    ],
)
def test_what_was_bought_is_told_when_it_is_used_up(
    limits: Mapping[str, int], kind: type[ProviderError], code: str, provider: Provider, sandbox: Sandbox
) -> None:
    sandbox.configure(iflytek=dict(limits))
    spoken(provider, request(STOCK, "好。", model=SUPER_HUMANOID))
    error = refusal(provider, request(STOCK, "好。", model=SUPER_HUMANOID))
    assert (type(error), error.provider_code) == (kind, code)


def test_too_many_sessions_at_once_wait(provider: Provider, sandbox: Sandbox) -> None:
    sandbox.configure(speed=1, iflytek={"concurrent": 1})
    assert provider.speech is not None
    first = ws.speak(provider.speech, request(STOCK, TEXT, model=SUPER_HUMANOID))
    next(event for event in first if isinstance(event, Audio))
    error = refusal(provider, request(STOCK, "好。", model=SUPER_HUMANOID))
    first.close()
    assert (type(error), error.retryable, error.retry_after) == (RateLimited, True, 30.0)

"""The referee: iFlytek's own Python SDK 0.0.3, unmodified, from training text to 超拟人 with phonemes."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from xfyunsdkcore.errors import OralError, VoiceCloneError
from xfyunsdkspark.oral_client import OralClient
from xfyunsdkspark.voice_clone import VoiceCloneClient
from xfyunsdkspark.voice_train import AudioAddRequest, CreateTaskRequest, VoiceTrainClient

from tests.listening import listen
from tests.recordings import MAN, WOMAN, recording
from tests.sample_server import Answer, SampleServer
from voiceclone_site.sandbox.remote import Sandbox

from .wire import OWNER, STRANGER, TEXT

TEXT_ID = 5001


@pytest.fixture(autouse=True)
def _behind_the_sandbox(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The training client takes no address: its plain HTTP goes through a proxy, which is the sandbox."""
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, sandbox.origin)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if thread.name.endswith("(run)"):  # the SDK's own, which it never joins
            thread.join(10)


def test_it_trains_and_speaks_for_the_sdk(sandbox: Sandbox, tmp_path: Path) -> None:
    client = VoiceTrainClient(OWNER.app_id, OWNER.api_key)
    texts = json.loads(client.train_text(TEXT_ID))["data"]
    assert [segment["segId"] for segment in texts["textSegs"]] == [str(number) for number in range(1, 21)]
    order = CreateTaskRequest(taskName="t", resourceName="r", sex=2, ageGroup=2, engineVersion="omni_v1")
    task_id = json.loads(client.create_task(order))["data"]
    assert json.loads(client.result(task_id))["data"]["trainStatus"] == 2
    sample = tmp_path / "me.wav"
    sample.write_bytes(recording(WOMAN))
    with sample.open("rb") as file:
        request = AudioAddRequest(taskId=task_id, textId=TEXT_ID, textSegId=1, files=file)
        assert json.loads(client.submit_with_audio(request))["flag"] is True
    result = json.loads(client.result(task_id))["data"]
    assert (result["trainStatus"], result["failedDesc"]) == (1, "")
    said = list(_clone(sandbox, result["assetId"], vcn="x6_clone", rhy=1, encoding="lame").stream(TEXT))
    heard = listen(b"".join(part.audio.audio or b"" for part in said))
    assert heard.f0 == pytest.approx(listen(recording(WOMAN)).f0, rel=0.06)
    track = "".join(part.pybuf.text for part in said)
    assert re.match(r"sil:\d+;今\[=jin1\]-j1:\d+;@-in1:\d+;天\[=tian1\]", track.replace("*", ""))
    assert said[-1].audio.ced == str(len(TEXT.encode()))


def test_it_trains_by_url_for_the_sdk(sandbox: Sandbox, samples: SampleServer) -> None:
    sandbox.configure(iflytek={"fetch_audio": True})
    client = VoiceTrainClient(OWNER.app_id, OWNER.api_key)
    task_id = json.loads(client.create_task(CreateTaskRequest(engineVersion="omni_v1")))["data"]
    samples.answers["/me.wav"] = Answer(recording(MAN))
    url = f"http://127.0.0.1:{samples.port}/me.wav"
    added = client.audio_add(AudioAddRequest(taskId=task_id, textId=TEXT_ID, textSegId=14, audioUrl=url))
    assert json.loads(added) == {"code": 0, "desc": "成功", "data": None, "flag": True}
    assert json.loads(client.submit(task_id))["code"] == 0
    found = json.loads(client.result(task_id))["data"]["assetId"]
    generated = _clone(sandbox, found, vcn="x6_clone", encoding="raw").generate(TEXT)
    heard = listen(generated.audio.audio, format="pcm", rate=16000)
    assert heard.f0 == pytest.approx(listen(recording(MAN)).f0, rel=0.06)


@pytest.mark.parametrize("frames", ["live", "doc"])
def test_it_speaks_with_a_stock_voice_for_the_sdk(sandbox: Sandbox, frames: str) -> None:
    sandbox.configure(iflytek={"frames": frames})
    client = OralClient(
        OWNER.app_id, OWNER.api_key, OWNER.api_secret, host_url=sandbox.iflytek_tts, vcn="x4_lingfeiyi_oral", rhy=1
    )
    parts = list(client.stream(TEXT))
    assert parts[-1]["audio"]["status"] == 2
    assert parts[-1]["audio"]["ced"] == str(len(TEXT.encode()))
    assert all("pybuf" in part for part in parts)


def test_it_refuses_the_sdk_a_voice_of_another_application(sandbox: Sandbox) -> None:
    client = VoiceCloneClient(
        STRANGER.app_id,
        STRANGER.api_key,
        STRANGER.api_secret,
        "a1b2c3d_ttsclone-a1b2c3d4-qwert",
        host_url=sandbox.iflytek_clone,
        vcn="x6_clone",
    )
    with pytest.raises(VoiceCloneError, match="26004"):
        list(client.stream(TEXT))


def test_it_refuses_the_sdk_an_unknown_stock_voice(sandbox: Sandbox) -> None:
    client = OralClient(OWNER.app_id, OWNER.api_key, OWNER.api_secret, host_url=sandbox.iflytek_tts, vcn="x4_nobody")
    with pytest.raises(OralError, match="must be one of"):
        list(client.stream(TEXT))


def _clone(sandbox: Sandbox, res_id: str, **parameters: object) -> VoiceCloneClient:
    return VoiceCloneClient(
        OWNER.app_id, OWNER.api_key, OWNER.api_secret, res_id, host_url=sandbox.iflytek_clone, **parameters
    )

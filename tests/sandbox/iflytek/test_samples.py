"""What the trainer makes of a recording: a reason in Chinese, never an error code."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest

from tests.recordings import CHINESE_WOMAN, WOMAN, encoded, reading, recording, silence, tone
from voiceclone_site.sandbox.remote import Sandbox
from voiceclone_site.sandbox.speech import espeak

from .wire import add_task, result, submit, trained


def _wav(*, channels: int = 1, width: int = 2, rate: int = 24000, seconds: float = 12) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(bytes(int(channels * width * rate * seconds)))
    return target.getvalue()


def _headerless() -> bytes:
    with wave.open(io.BytesIO(recording(WOMAN))) as file:
        return bytes(file.readframes(file.getnframes()))


@pytest.mark.parametrize("format", ["wav", "mp3", "m4a"])
def test_it_trains_on_every_documented_container(sandbox: Sandbox, format: str) -> None:
    task_id = add_task(sandbox)
    assert submit(sandbox, task_id, recording(WOMAN, format=format), name=f"me.{format}").code == 0
    assert result(sandbox, task_id)["trainStatus"] == 1


def test_it_takes_headerless_audio_for_24_khz(sandbox: Sandbox) -> None:
    task_id = add_task(sandbox)
    submit(sandbox, task_id, _headerless(), name="me.PCM")
    assert result(sandbox, task_id)["trainStatus"] == 1


@pytest.mark.parametrize(
    ("audio", "name", "reason"),
    [
        (recording(WOMAN, format="flac"), "me.flac", "格式不支持"),
        (recording(WOMAN), "me", "格式不支持"),
        (_wav(seconds=70), "me.wav", "不能超过3MB"),
        (_wav(channels=2), "me.wav", "声道"),
        (_wav(width=1), "me.wav", "位深"),
        (recording(WOMAN, rate=16000), "me.wav", "采样率过低：16000"),
        (recording(WOMAN, format="mp3", rate=16000), "me.mp3", "采样率过低：16000"),
        (recording(WOMAN, seconds=61, format="mp3"), "me.mp3", "不能超过60秒"),
        (b"RIFF, but not for long", "me.wav", "无法解析"),
        (b"nothing that plays", "me.mp3", "无法解析"),
        (silence(), "me.wav", "有效人声"),
        (tone(), "me.wav", "有效人声"),
        (recording(WOMAN, seconds=2), "me.wav", "过短"),
        (recording(CHINESE_WOMAN, seconds=50), "me.wav", "过长"),
    ],
)  # fmt: skip
def test_it_says_why_a_recording_will_not_do(sandbox: Sandbox, audio: bytes, name: str, reason: str) -> None:
    task_id = add_task(sandbox)
    assert submit(sandbox, task_id, audio, name=name).code == 0
    found = result(sandbox, task_id)
    assert (found["trainStatus"], found["assetId"]) == (0, "")
    assert reason in found["failedDesc"]
    assert sandbox.ledger.created() == []


def test_it_fails_a_reading_of_something_else_when_told_to(sandbox: Sandbox) -> None:
    sandbox.fail(operation="ifly:submitWithAudio", how="mismatch")
    task_id = add_task(sandbox)
    assert submit(sandbox, task_id).code == 0
    found = result(sandbox, task_id)
    assert (found["trainStatus"], "不一致" in found["failedDesc"]) == (0, True)
    trained(sandbox)


def test_it_scores_a_recording_when_asked_to(sandbox: Sandbox) -> None:
    clean = reading(CHINESE_WOMAN, 12)
    rough = clean + np.random.default_rng(1).normal(0, 0.02, len(clean)).astype(np.float32)
    noisy = encoded(rough, source_rate=espeak.RATE, format="wav", rate=24000)
    assert trained(sandbox, noisy)
    task_id = add_task(sandbox, mosRatio=4.9)
    submit(sandbox, task_id, noisy)
    assert "质量检测不通过" in result(sandbox, task_id)["failedDesc"]
    by_form = add_task(sandbox)
    submit(sandbox, by_form, noisy, mosRatio="4.9")
    assert "质量检测不通过" in result(sandbox, by_form)["failedDesc"]

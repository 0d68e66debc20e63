"""Enrollment as bare HTTP, for what the official SDK cannot say."""

from __future__ import annotations

from typing import Any

import requests

from tests.recordings import WOMAN, recording
from tests.sample_server import SampleServer
from tests.sandbox_server import ALIYUN_KEY
from voiceclone_site.sandbox.remote import Sandbox

_SECONDS = 20


def ask(sandbox: Sandbox, *, key: str = ALIYUN_KEY, **given: Any) -> requests.Response:
    """One call with `given` as its input."""
    return post(sandbox, {"model": "voice-enrollment", "input": given}, key=key)


def post(sandbox: Sandbox, body: Any, *, key: str = ALIYUN_KEY) -> requests.Response:
    return requests.post(
        f"{sandbox.aliyun_http}/services/audio/tts/customization",
        json=body,
        headers={"Authorization": f"Bearer {key}"},
        timeout=_SECONDS,
    )


def enroll(
    sandbox: Sandbox,
    samples: SampleServer,
    *,
    speaker: str = WOMAN,
    model: str = "cosyvoice-v2",
    prefix: str = "test",
    key: str = ALIYUN_KEY,
) -> str:
    """A voice made from a recording of `speaker`; its id."""
    url = samples.url(recording(speaker))
    answer = ask(sandbox, key=key, action="create_voice", target_model=model, prefix=prefix, url=url)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["output"]["voice_id"])

"""Programs that speak a dialect without its SDK: what they were read to send, word for word."""

from __future__ import annotations

import io
import wave
from typing import Any

import requests

from tests.dialects.conftest import Studio
from tests.listening import listen

WEATHER = "今天天气怎么样？"


def asked(studio: Studio, method: str, path: str, **more: Any) -> requests.Response:
    return requests.request(method, f"{studio.portal.address}{path}", timeout=30, **more)


def test_it_speaks_for_open_webui_by_openai(studio: Studio) -> None:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {studio.alice}"}
    body = {"model": "tts-1", "input": WEATHER, "voice": "Annie"}
    answer = asked(studio, "POST", "/v1/audio/speech", json=body, headers=headers)
    assert answer.headers["content-type"] == "audio/mpeg"
    assert listen(answer.content).duration > 1
    # It lists without any key, and falls back to names of its own when that is refused.
    for path in ("/v1/audio/models", "/v1/audio/voices"):
        refused = asked(studio, "GET", path)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")


def test_it_speaks_for_open_webui_by_elevenlabs(studio: Studio) -> None:
    headers = {"Accept": "audio/mpeg", "Content-Type": "application/json", "xi-api-key": studio.alice}
    voices = asked(studio, "GET", "/v1/voices", headers=headers).json()["voices"]
    assert {"voice_id": studio.voice, "name": "Annie"}.items() <= next(
        voice for voice in voices if voice["voice_id"] == studio.voice
    ).items()
    assert all("name" in model for model in asked(studio, "GET", "/v1/models", headers=headers).json())
    body = {
        "text": WEATHER,
        "model_id": "eleven_multilingual_v2",
        "voice_settings": {"stability": 0.5, "similarity_boost": 0.5},
    }
    answer = asked(studio, "POST", f"/v1/text-to-speech/{studio.voice}", json=body, headers=headers)
    assert answer.headers["content-type"] == "audio/mpeg"
    assert listen(answer.content).rate == 44_100


def test_it_speaks_for_sillytavern(studio: Studio) -> None:
    body = {"model": "tts-1", "input": WEATHER, "voice": "Annie", "response_format": "mp3", "speed": 1}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {studio.alice}"}
    answer = asked(studio, "POST", "/openai/v1/audio/speech", json=body, headers=headers)
    assert listen(answer.content).duration > 1


def test_it_speaks_for_home_assistant(studio: Studio) -> None:
    body = {"model": "tts-1", "input": WEATHER, "voice": "Annie", "speed": 1.0, "response_format": "wav"}
    headers = {"Authorization": f"Bearer {studio.alice}"}
    answer = asked(studio, "POST", "/v1/audio/speech", json=body, headers=headers)
    with wave.open(io.BytesIO(answer.content)) as spoken:
        assert (spoken.getframerate(), spoken.getnchannels(), spoken.getsampwidth()) == (24_000, 1, 2)
    keyless = asked(studio, "POST", "/v1/audio/speech", json=body)
    assert (keyless.status_code, keyless.json()["error"]["code"]) == (401, "invalid_api_key")


def test_it_lists_voices_for_whoever_reads_voices_or_data(studio: Studio) -> None:
    headers = {"Authorization": f"Bearer {studio.alice}"}
    listed = asked(studio, "GET", "/v1/audio/voices", headers=headers).json()
    assert listed["voices"] == listed["data"]
    annie = next(voice for voice in listed["voices"] if voice["id"] == studio.voice)
    assert (annie["name"], annie["status"], annie["vendor"]) == ("Annie", "ready", "aliyun")
    strangers = asked(studio, "GET", "/v1/audio/voices", headers={"Authorization": f"Bearer {studio.charlie}"}).json()
    assert studio.voice not in {voice["id"] for voice in strangers["voices"]}


def test_it_tells_the_dialects_apart_by_their_header(studio: Studio) -> None:
    by_bearer = asked(studio, "GET", "/v1/models", headers={"Authorization": f"Bearer {studio.alice}"})
    by_key = asked(studio, "GET", "/v1/models", headers={"xi-api-key": studio.alice})
    assert by_bearer.json()["object"] == "list"
    assert isinstance(by_key.json(), list)
    assert asked(studio, "GET", "/elevenlabs/v1/models", headers={"xi-api-key": studio.alice}).json() == by_key.json()


def test_it_lets_pages_of_other_origins_ask(studio: Studio) -> None:
    wanted = {
        "Origin": "https://elsewhere.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,xi-api-key",
    }
    preflight = asked(studio, "OPTIONS", "/v1/audio/speech", headers=wanted)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-allow-headers"] == wanted["Access-Control-Request-Headers"]
    body = {"model": "tts-1", "input": WEATHER, "voice": "Annie"}
    headers = {"Authorization": f"Bearer {studio.alice}", "Origin": "https://elsewhere.example"}
    spoken = asked(studio, "POST", "/v1/audio/speech", json=body, headers=headers)
    assert spoken.headers["access-control-allow-origin"] == "*"

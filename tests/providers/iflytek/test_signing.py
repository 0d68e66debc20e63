"""The signers against known answers: the vendor's published one, and those of our protocol notes."""

from __future__ import annotations

import base64
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.providers.iflytek.office import API_KEY, API_SECRET, account
from voices.providers import registry
from voices.providers.base import Account, SpeechRequest
from voices.providers.errors import ConfigurationError
from voices.providers.iflytek.auth import signed_url, token_signature, training_signature, url_signature

NEW_YEAR = 1767225600.0
"""Thu, 01 Jan 2026 00:00:00 GMT"""


def test_it_signs_the_vendors_own_example() -> None:
    signature = url_signature(
        api_secret="apisecret" + "X" * 23,
        host="api.xf-yun.com",
        date="Fri, 23 Apr 2021 02:35:47 GMT",
        path="/v1/private/s782b4996",
        method="POST",
    )
    assert signature == "1jwQbIAKmQE7JwIH0IDxiC1pejrlN+VpHXDWOFVy5NM="


@pytest.mark.parametrize(
    ("endpoint", "host", "signature"),
    [
        (
            "wss://cn-huabei-1.xf-yun.com/v1/private/voice_clone",
            "cn-huabei-1.xf-yun.com",
            "/aV7AGcd3UCnCR89EXXY5Q834jOn4FjbJ7xxfXdgCOE=",
        ),
        (
            "ws://127.0.0.1:8765/v1/private/voice_clone",
            "127.0.0.1:8765",
            "aNqkYsu6cny0T++7C34GmH/71rXd2DQQ+zM0vfJsnFk=",
        ),
    ],
)
def test_it_puts_the_proof_into_the_address(endpoint: str, host: str, signature: str) -> None:
    parts = urlsplit(signed_url(endpoint, api_key=API_KEY, api_secret=API_SECRET, now=NEW_YEAR))
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == endpoint
    query = parse_qs(parts.query)
    assert query["host"] == [host]
    assert query["date"] == ["Thu, 01 Jan 2026 00:00:00 GMT"]
    assert base64.b64decode(query["authorization"][0]).decode() == (
        f'api_key="{API_KEY}", algorithm="hmac-sha256", headers="host date request-line", signature="{signature}"'
    )


def test_it_signs_the_token_call() -> None:
    body = b'{"base":{"appid":"a1b2c3d4","version":"v1","timestamp":"1767225600000"},"model":"remote"}'
    signature = token_signature(api_key=API_KEY, timestamp="1767225600000", body=body)
    assert signature == "8682653123150ef155d9c5fd8320dc69"


def test_it_signs_a_training_call() -> None:
    signature = training_signature(api_key=API_KEY, timestamp="1767225600000", body=b'{"textId":5001}')
    assert signature == "9d27eec91c2eb7d49588e4faec6d0bf3"


@pytest.mark.parametrize(
    ("model", "path"),
    [("omni_v1", "voice_clone"), ("standard", "voice_clone"), ("super_humanoid", "mcd9m97e6")],
)
def test_every_call_has_an_address_of_its_own_for_its_model(model: str, path: str) -> None:
    speech = registry.build("iflytek", account()).speech
    assert speech is not None
    where = speech.connection(
        SpeechRequest(remote_id="v", model=model, text="你好", audio_format="mp3", sample_rate=24000)
    )
    assert urlsplit(where.url).path == f"/v1/private/{path}"
    assert parsedate_to_datetime(parse_qs(urlsplit(where.url).query)["date"][0])
    assert where.reuse_seconds == 0


def test_an_address_with_its_proof_is_not_shown() -> None:
    speech = registry.build("iflytek", account()).speech
    assert speech is not None
    request = SpeechRequest(remote_id="v", model="omni_v1", text="你好", audio_format="mp3", sample_rate=24000)
    shown = f"{speech!r} {speech.connection(request)!r}"
    assert "authorization" not in shown
    assert API_KEY not in shown
    assert API_SECRET not in shown


@pytest.mark.parametrize("name", ["app_id", "api_key", "api_secret"])
@pytest.mark.parametrize("value", ["abc ", "abc\nX-Evil: 1", "密钥"])
def test_a_credential_that_no_header_can_carry_is_a_mistake_of_the_set_up_and_not_quoted(name: str, value: str) -> None:
    good = account()
    wrong = Account(key="1", credentials={**good.credentials, name: value}, endpoints=good.endpoints)
    with pytest.raises(ConfigurationError, match=name) as caught:
        registry.build("iflytek", wrong)
    assert value.strip() not in str(caught.value)

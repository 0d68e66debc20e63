"""The guide to the API: whole, true to the schema, and its commands are commands."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator

from tests.snippets import FILE, GUIDE, RECORDING, TOKEN, asked_by_curl, listening, pages, snippets_in
from voiceclone_site.examples import JSON, examples
from voices.models import WebhookEvent


@pytest.fixture
def schema(visitor: Client) -> dict[str, Any]:
    found: dict[str, Any] = visitor.get("/api/schema/?format=json").json()
    return found


def operations(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for found in schema["paths"].values():
        yield from (found[method] for method in ("get", "post", "patch", "delete") if method in found)


def fits(value: Any, described: dict[str, Any], schema: dict[str, Any], *, sent: bool) -> list[str]:
    """`sent` to us: what is read only need not be there."""
    whole = {**described, "components": schema["components"]}
    return [
        f"{error.json_path}: {error.message}"
        for error in Draft202012Validator(whole).iter_errors(value)
        if not (sent and error.validator == "required" and is_read_only(error))
    ]


def is_read_only(error: Any) -> bool:
    missing = re.findall(r"^'(\w+)' is a required", error.message)
    return all(error.schema["properties"][name].get("readOnly") for name in missing)


def test_it_has_an_example_of_every_operation_that_fits_the_schema(schema: dict[str, Any]) -> None:
    for operation in operations(schema):
        name = operation["operationId"]
        assert name in examples(), f"{name}: put its request and answer into api_examples.json"
        bodies = [(True, operation.get("requestBody", {}))]
        bodies += [(False, answer) for status, answer in operation["responses"].items() if status.startswith("2")]
        for sent, body in bodies:
            described = body.get("content", {}).get(JSON)
            for example in described["examples"].values() if described else ():
                assert fits(example["value"], described["schema"], schema, sent=sent) == [], name


def test_it_has_no_example_of_what_is_gone(schema: dict[str, Any]) -> None:
    assert set(examples()) == {operation["operationId"] for operation in operations(schema)}


def test_it_shows_a_message_of_every_event_that_fits_the_schema(visitor: Client, schema: dict[str, Any]) -> None:
    page = unescape(visitor.get(f"{GUIDE}webhooks/").content.decode())
    assert set(schema["webhooks"]) == set(WebhookEvent.values)
    for event, described in schema["webhooks"].items():
        body = described["post"]["requestBody"]["content"][JSON]
        [example] = body["examples"].values()
        assert fits(example["value"], body["schema"], schema, sent=False) == [], event
        assert json.dumps(example["value"], ensure_ascii=False, indent=2) in page


def test_it_shows_every_operation_with_its_commands(visitor: Client, schema: dict[str, Any]) -> None:
    index = visitor.get(GUIDE).content.decode()
    assert all(f"{GUIDE}{path.split('/')[3]}/" in index for path in schema["paths"])
    shown = "".join(pages())
    for path, found in schema["paths"].items():
        for method in ("get", "post", "patch", "delete"):
            if method in found:
                assert f'id="{found[method]["operationId"]}"' in shown
                assert found[method]["operationId"] in index
                assert path in shown
    assert "https://cdn" not in shown


def test_its_python_asks_what_its_curl_asks(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / FILE).write_bytes(RECORDING)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOKEN", TOKEN)
    with listening() as (address, heard):
        expected = [asked_by_curl(snippet) for snippet in snippets_in("curl", of=address)]
        snippets = snippets_in("Python", of=address)
        for snippet in snippets:
            exec(snippet, {})  # noqa: S102 — our own, as its reader runs it
    assert len(snippets) == len(examples())
    assert heard == expected


def test_its_curl_sends_the_example(db: None) -> None:
    sent = 0
    for snippet in snippets_in("curl"):
        words = shlex.split(snippet.replace("\\\n", " "))
        assert words[0] == "curl"
        assert words[-1].startswith("http")
        if "-d" in words:
            body = json.loads(words[words.index("-d") + 1])
            assert body in [example.request for example in examples().values()]
            sent += 1
    assert sent >= 7


def test_it_is_read_in_both_languages(visitor: Client) -> None:
    english = visitor.get(f"{GUIDE}voices/").content.decode()
    chinese = visitor.get(f"{GUIDE}voices/", headers={"accept-language": "zh-CN"}).content.decode()
    assert "Clone a voice" in english
    assert 'lang="zh-hans"' in chinese


def test_it_knows_no_other_group(visitor: Client) -> None:
    assert visitor.get(f"{GUIDE}nothing/").status_code == 404


def test_a_form_shows_its_file(visitor: Client) -> None:
    page = visitor.get(f"{GUIDE}voices/").content.decode()
    assert "-F sample=@annie.wav" in unescape(page)

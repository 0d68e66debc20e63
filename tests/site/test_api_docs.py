from __future__ import annotations

import re

import pytest
import yaml
from django.contrib.staticfiles import finders
from django.test import Client

pytestmark = pytest.mark.django_db


def test_it_shows_the_docs_from_files_of_our_own() -> None:
    page = Client().get("/api/docs/").content.decode()
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert addresses
    assert all(address.startswith("/") and not address.startswith("//") for address in addresses)
    for address in addresses:
        if address.startswith("/static/"):
            assert finders.find(address.removeprefix("/static/"))


def test_it_keeps_scripts_strict_on_the_docs_page() -> None:
    answer = Client().get("/api/docs/")
    policy = dict(part.strip().split(" ", 1) for part in answer["Content-Security-Policy"].split(";") if part.strip())
    assert policy["script-src"] == "'self'"
    assert policy["style-src"] == "'self' 'unsafe-inline'"
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", answer.content.decode()) == []


def test_it_describes_the_api_to_anybody() -> None:
    answer = Client().get("/api/schema/")
    assert answer.status_code == 200
    schema = yaml.safe_load(answer.content)
    assert schema["openapi"].startswith("3.1")
    assert schema["info"]["title"] == "Voice Cloning Portal API"

"""The error book through its door: the page, and what an answer of the API says about a code."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils.translation import override

from voiceclone_site.errors import body_of, problem_of
from voices import book
from voices.providers import registry
from voices.providers.base import Traits
from voices.providers.book import BookEntry
from voices.providers.errors import ProviderError

ADDRESS = "/help/errors/"
WRITTEN = [entry for slug in registry.slugs() for entry in registry.book(slug)]


def text_of(page: bytes) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.decode()).split())


def codes_on(page: bytes) -> list[str]:
    return re.findall(r'<code id="[^"]+">([^<]+)</code>', page.decode())


def test_it_lists_every_code_of_every_provider_to_whoever_comes_by(visitor: Client) -> None:
    page = visitor.get(ADDRESS)
    assert page.status_code == 200
    assert sorted(codes_on(page.content)) == sorted(entry.code for entry in WRITTEN)
    for slug in registry.slugs():
        with override("en"):
            assert str(registry.traits(slug).label) in text_of(page.content)


def test_it_finds_a_code(visitor: Client) -> None:
    assert set(codes_on(visitor.get(ADDRESS, {"q": "audio.decodererror"}).content)) == {"Audio.DecoderError"}


def test_it_finds_words_in_any_order_and_only_rows_that_have_all_of_them(visitor: Client) -> None:
    found = codes_on(visitor.get(ADDRESS, {"q": "larger 10  mb"}).content)
    assert "Audio.FileSizeExceed" in found
    assert "Arrearage" not in found


def test_it_says_what_to_do_about_a_code_that_is_in_no_book(visitor: Client) -> None:
    page = visitor.get(ADDRESS, {"q": "<b>31415"})
    assert page.status_code == 200
    assert codes_on(page.content) == []
    assert "is in no book" in text_of(page.content)
    assert b"<b>31415" not in page.content
    assert b"&lt;b&gt;31415" in page.content


def test_it_changes_nothing(visitor: Client) -> None:
    assert visitor.post(ADDRESS).status_code == 405


@pytest.mark.parametrize("entry", WRITTEN, ids=lambda entry: entry.anchor)
def test_every_entry_says_in_sentences_why_and_what_to_do(entry: BookEntry) -> None:
    with override("en"):
        for sentence in (entry.cause, entry.remedy, entry.sentence or "."):
            assert str(sentence).endswith(".")
    assert entry.saying == entry.saying.lower()


@pytest.mark.parametrize("slug", registry.slugs())
def test_no_two_entries_contend_for_one_place(slug: str) -> None:
    anchors = [entry.anchor for entry in registry.book(slug)]
    assert len(anchors) == len(set(anchors))
    assert {entry.provider for entry in registry.book(slug)} == {slug}


@pytest.mark.parametrize("entry", WRITTEN, ids=lambda entry: entry.anchor)
def test_an_error_of_the_api_leads_to_its_entry(entry: BookEntry, visitor: Client) -> None:
    error = entry.error(f"words … {entry.saying} … more", request_id="r-1")
    problem = problem_of(error)
    assert problem is not None
    address = body_of(problem)["error"]["help_url"]
    path, _, anchor = address.partition("#")
    known = book.entry_of_error(error)
    assert known is not None
    assert (known.kind, str(known.cause)) == (entry.kind, str(entry.cause))
    assert anchor == known.anchor
    assert f'id="{anchor}"'.encode() in visitor.get(path[path.index(ADDRESS) :]).content


def test_an_error_without_a_code_leads_nowhere_and_an_unknown_code_to_the_page() -> None:
    provider = registry.slugs()[0]
    silent = problem_of(ProviderError(provider=provider))
    unknown = problem_of(ProviderError(provider="gone", provider_code="X 1"))
    assert silent is not None
    assert unknown is not None
    assert body_of(silent)["error"]["help_url"] is None
    assert body_of(unknown)["error"]["help_url"].endswith("/help/errors/?q=X+1")


def test_one_code_of_two_services_is_told_apart_by_what_it_became() -> None:
    for slug in registry.slugs():
        entries = registry.book(slug)
        for entry in entries:
            twins = [each for each in entries if each.code == entry.code and each.kind is not entry.kind]
            if twins and not entry.saying:
                known = book.entry_for(provider=slug, code=entry.code, kind=entry.kind.code)
                assert known is not None
                assert known.kind is entry.kind


def test_the_page_takes_a_provider_that_is_registered_later(visitor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels of services that nobody foresaw are the provider's own word."""
    slug = registry.slugs()[0]
    traits: Traits = registry.traits(slug)
    with override("en"):
        assert book.Chapter(traits=traits, service="dancing", lines=()).label == "dancing"

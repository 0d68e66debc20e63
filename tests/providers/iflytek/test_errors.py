"""The error book of this provider: complete by the documents, its services apart, its sentences fit to be shown."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from django.utils.translation import override

from tests.providers.iflytek.codes import SYNTHESIS, TRAINING
from voices.providers import registry
from voices.providers.book import found
from voices.providers.errors import (
    AccountBlocked,
    Act,
    ClockSkewed,
    CredentialsRejected,
    InvalidRequest,
    SampleRejected,
)
from voices.providers.iflytek.errors import handshake_refused, training_failed

BOOK = registry.book("iflytek")
NOW = 1767225600.0

# Every code of the two documents, as they list them.
CLI_TRAINING = [10000, 10001, 10015, 10016, 10017, 10018, 10019, 10020, 10021, 20001, 20002, 60000, 90001, 90002, 99999]
CLI_SYNTHESIS = [
    10009,
    10010,
    10019,
    10043,
    10114,
    10139,
    10160,
    10161,
    10163,
    10200,
    10222,
    10223,
    10313,
    10317,
    10700,
    11200,
    11201,
    11503,
    11502,
]
SUPER_HUMANOID = CLI_SYNTHESIS
ENGINE = range(100_001, 100_011)


@pytest.mark.parametrize(
    ("service", "codes"),
    [
        ("training", list(map(str, CLI_TRAINING))),
        ("synthesis", list(map(str, [*CLI_SYNTHESIS, *SUPER_HUMANOID, *ENGINE, 10003]))),
        ("token", ["000004", "000006", "000007", "999999"]),
        ("handshake", ["401", "403", "404"]),
    ],
)
def test_the_book_has_every_code_of_the_documents(service: str, codes: list[str]) -> None:
    assert [code for code in codes if found(BOOK, service, code=code) is None] == []


def test_the_tables_of_the_tests_and_the_book_know_the_same_codes() -> None:
    unknown = {"54321"}
    for service, rows in (("training", TRAINING), ("synthesis", SYNTHESIS)):
        written = {entry.code for entry in BOOK if entry.service == service and entry.code.isdecimal()}
        assert written == {str(code) for code, *_ in rows} - unknown


def test_one_number_means_two_things_in_two_services() -> None:
    training, synthesis = found(BOOK, "training", code="10019"), found(BOOK, "synthesis", code="10019")
    assert training is not None
    assert synthesis is not None
    assert (training.kind, synthesis.kind) == (AccountBlocked, InvalidRequest)


def test_every_entry_says_what_happened_and_what_to_do() -> None:
    with override("en"):
        for entry in BOOK:
            for said in (entry.cause, entry.remedy, entry.sentence or entry.kind.default_sentence):
                assert str(said).endswith("."), entry.code


def test_no_two_entries_share_an_anchor() -> None:
    anchors = [entry.anchor for entry in BOOK]
    assert len(anchors) == len(set(anchors))


# --- why a training came to nothing ---


@pytest.mark.parametrize(
    ("reason", "part"),
    [
        ("音频与文本不一致", "does not match the sentence"),
        ("音频内容与训练文本不匹配", "does not match the sentence"),
        ("音频与训练文本不一致（有效语音3.0秒，过短）", "does not match the sentence"),
        ("音频质量评分低于设定阈值", "quality"),
        ("未检测到有效人声", "quality"),
        ("MOS score too low", "quality"),
        ("音频时长超过60秒", "too short or too long"),
        ("音频采样率低于24kHz", "sound file"),
        ("未知原因", "use another one"),
        ("", "use another one"),
    ],
)
def test_a_failed_training_is_told_in_our_words_by_what_the_provider_says(reason: str, part: str) -> None:
    error = training_failed(reason=reason, request_id="1234567")
    assert type(error) is SampleRejected
    assert (error.act, error.detail, error.request_id) == (Act.USER, reason, "1234567")
    with override("en"):
        assert part in str(error.sentence)


# --- the handshake ---


@pytest.mark.parametrize(
    ("ahead", "words"),
    [(600, "our clock is 600 s ahead of the provider's"), (-600, "our clock is 600 s behind the provider's")],
)
def test_a_clock_ten_minutes_off_is_said_with_the_difference(ahead: int, words: str) -> None:
    error = handshake_refused(
        http_status=403, message="HMAC signature cannot be verified", date=formatdate(NOW - ahead, usegmt=True), now=NOW
    )
    assert isinstance(error, ClockSkewed)
    assert (error.act, error.retryable, error.code) == (Act.OPERATOR, False, "clock_skewed")
    assert error.detail.startswith(words)
    with override("en"):
        assert "clock of this server is wrong" in str(error.sentence)


def test_a_clock_that_agrees_is_not_blamed() -> None:
    error = handshake_refused(http_status=403, message="no", date=formatdate(NOW - 200, usegmt=True), now=NOW)
    assert type(error) is CredentialsRejected


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Jan 2026 00:00:00 GMT"])
def test_a_date_that_cannot_be_read_leaves_the_clock_under_suspicion(date: str) -> None:
    error = handshake_refused(http_status=403, message="no", date=date, now=NOW)
    assert isinstance(error, ClockSkewed)
    assert error.detail == "no"


def test_other_statuses_are_left_to_the_driver() -> None:
    assert handshake_refused(http_status=503, message="", date="", now=NOW) is None

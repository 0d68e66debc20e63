"""Section 3 of the protocol notes, row by row, and what nobody has told us about."""

from __future__ import annotations

import pytest
from django.utils.translation import override

from voices.providers.errors import (
    AccountBlocked,
    Act,
    CredentialsRejected,
    InvalidRequest,
    OutcomeUnknown,
    ProviderError,
    ProviderTrouble,
    RateLimited,
    Refused,
    VoiceNotDeletable,
    VoiceNotFound,
)
from voices.providers.qiniu.errors import Call, refused

EVERY_CALL = tuple(Call)
EFFECTS = (Call.CREATE, Call.TRAIN)

CODES = [
    *((call, "400", InvalidRequest, False) for call in EVERY_CALL),
    *((call, "401", CredentialsRejected, False) for call in EVERY_CALL),
    (Call.DELETE, "403", VoiceNotDeletable, False),
    *((call, "403", AccountBlocked, False) for call in EVERY_CALL if call is not Call.DELETE),
    *((call, "404", VoiceNotFound, False) for call in (Call.GET, Call.TRAIN, Call.RENAME, Call.DELETE)),
    *((call, "404", InvalidRequest, False) for call in (Call.CREATE, Call.LIST)),
    *((call, "429", RateLimited, True) for call in EVERY_CALL),
    *((call, code, OutcomeUnknown, False) for call in EFFECTS for code in ("500", "502", "599")),
    *((call, code, ProviderTrouble, True) for call in EVERY_CALL if call not in EFFECTS for code in ("500", "599")),
    (Call.GET, "612", VoiceNotFound, False),
    (Call.RENAME, "614", Refused, False),
    (Call.GET, "503", ProviderTrouble, True),
    (Call.GET, "31415", Refused, False),
    (Call.CREATE, "-1", Refused, False),
]


@pytest.mark.parametrize(("call", "code", "kind", "retryable"), CODES)
@pytest.mark.parametrize("transport", ["body", "mirror"])
def test_it_translates_a_code_wherever_it_stands(
    call: Call, code: str, kind: type[ProviderError], retryable: bool, transport: str
) -> None:
    status = int(code) if transport == "mirror" and code.isdigit() else 200
    error = refused(
        call=call,
        code=code,
        message="说明",
        http_status=status,
        request_id="r-1",
        effect=call in EFFECTS,
        retry_after=2.0,
    )
    assert type(error) is kind
    assert error.retryable is retryable
    assert (error.provider, error.provider_code, error.request_id) == ("qiniu", code, "r-1")
    assert error.detail == "说明"
    assert error.http_status == status
    assert error.retry_after == (2.0 if kind is RateLimited else None)
    with override("en"):
        assert str(error.sentence).endswith(".")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (401, CredentialsRejected),
        (404, VoiceNotFound),
        (429, RateLimited),
        (500, ProviderTrouble),
        (504, ProviderTrouble),
        (418, Refused),
    ],
)
def test_without_a_code_the_status_decides(status: int, kind: type[ProviderError]) -> None:
    error = refused(call=Call.GET, code="", message="", http_status=status, request_id="", effect=False)
    assert type(error) is kind


def test_the_body_wins_over_the_status() -> None:
    error = refused(call=Call.GET, code="404", message="", http_status=500, request_id="", effect=False)
    assert type(error) is VoiceNotFound


@pytest.mark.parametrize(
    ("call", "code", "act", "sentence"),
    [
        (Call.RENAME, "400", Act.USER, "Qiniu did not accept this name. Please choose another one."),
        (
            Call.CREATE,
            "400",
            Act.OPERATOR,
            "Qiniu did not make a place for this voice. Please tell the operator of this site.",
        ),
        (
            Call.DELETE,
            "403",
            Act.OPERATOR,
            "The provider never deletes this voice. It is gone from here; its place there stays taken.",
        ),
    ],
)
def test_it_says_who_has_to_do_what(call: Call, code: str, act: Act, sentence: str) -> None:
    error = refused(call=call, code=code, message="", http_status=200, request_id="", effect=False)
    assert error.act is act
    with override("en"):
        assert str(error.sentence) == sentence

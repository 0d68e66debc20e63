"""Section 7 of the protocol notes, row by row: what each code has to become, written down a second time on purpose."""

from __future__ import annotations

from voices.providers.errors import (
    AccountBlocked,
    Act,
    CredentialsRejected,
    InvalidRequest,
    ProviderError,
    ProviderTrouble,
    RateLimited,
    SlotsExhausted,
    StreamBroken,
    TextRejected,
    VoiceNotFound,
)

Row = tuple[int, type[ProviderError], bool, Act]

TRAINING: list[Row] = [
    (10000, ProviderTrouble, True, Act.PROVIDER),
    (10001, InvalidRequest, False, Act.OPERATOR),
    (10015, VoiceNotFound, False, Act.OPERATOR),
    (10016, AccountBlocked, False, Act.OPERATOR),
    (10017, AccountBlocked, False, Act.OPERATOR),
    (10018, SlotsExhausted, True, Act.OPERATOR),
    (10019, AccountBlocked, False, Act.OPERATOR),
    (10020, AccountBlocked, False, Act.OPERATOR),
    (10021, SlotsExhausted, False, Act.OPERATOR),
    (20001, InvalidRequest, False, Act.USER),
    (20002, InvalidRequest, False, Act.USER),
    (60000, VoiceNotFound, False, Act.USER),
    (90001, InvalidRequest, False, Act.OPERATOR),
    (90002, InvalidRequest, False, Act.OPERATOR),
    (99999, ProviderTrouble, True, Act.PROVIDER),
    (54321, ProviderTrouble, True, Act.PROVIDER),
]

SYNTHESIS: list[Row] = [
    (10003, ProviderTrouble, True, Act.PROVIDER),
    (10009, TextRejected, False, Act.USER),
    (10010, RateLimited, True, Act.OPERATOR),
    (10019, InvalidRequest, False, Act.OPERATOR),
    (10043, InvalidRequest, False, Act.USER),
    (10114, TextRejected, False, Act.USER),
    (10139, InvalidRequest, False, Act.OPERATOR),
    (10160, InvalidRequest, False, Act.OPERATOR),
    (10161, InvalidRequest, False, Act.OPERATOR),
    (10163, InvalidRequest, False, Act.OPERATOR),
    (10200, StreamBroken, True, Act.PROVIDER),
    (10222, StreamBroken, True, Act.USER),
    (10223, ProviderTrouble, True, Act.PROVIDER),
    (10313, CredentialsRejected, False, Act.OPERATOR),
    (10317, ProviderTrouble, False, Act.PROVIDER),
    (10700, ProviderTrouble, True, Act.PROVIDER),
    (11200, AccountBlocked, False, Act.OPERATOR),
    (11201, AccountBlocked, False, Act.OPERATOR),
    (11202, RateLimited, True, Act.PROVIDER),
    (11203, RateLimited, True, Act.PROVIDER),
    (11502, ProviderTrouble, True, Act.PROVIDER),
    (11503, ProviderTrouble, True, Act.PROVIDER),
    *((code, ProviderTrouble, True, Act.PROVIDER) for code in range(100_001, 100_011)),
    (26004, VoiceNotFound, False, Act.USER),
    (26005, StreamBroken, True, Act.PROVIDER),
    (26006, ProviderTrouble, True, Act.PROVIDER),
    (26016, InvalidRequest, False, Act.OPERATOR),
    *(
        (code, ProviderTrouble, True, Act.PROVIDER)
        for code in ((10031, 10106, 10107, 10109, 10118, 10164, 10165, 10202, 10225, 10240, 10250, 10324, 11345, 12000))
    ),
    (10404, InvalidRequest, False, Act.OPERATOR),
    (54321, ProviderTrouble, True, Act.PROVIDER),
]

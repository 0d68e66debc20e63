"""Qiniu's codes in our words.

The code is in the body; whether the HTTP status repeats it is not published (sibling pages: always 200), so the body wins and
the status decides only where there is no code. There are no codes of detail (name too long, no quota, still training): what a
400 means depends on what was asked, and `msg` is for people to read, never for us to decide by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

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
from voices.providers.qiniu.traits import SLUG

if TYPE_CHECKING:
    from voices.providers.errors import Sentence


class Call(StrEnum):
    CREATE = "create"
    TRAIN = "train"
    RENAME = "rename"
    GET = "get"
    LIST = "list"
    DELETE = "delete"
    QUOTA = "quota"


@dataclass(frozen=True, slots=True)
class Meaning:
    kind: type[ProviderError]
    sentence: Sentence | None = None
    act: Act | None = None


_TROUBLE = Meaning(ProviderTrouble)

MEANINGS: Mapping[str, Meaning] = {
    "400": Meaning(InvalidRequest),
    "401": Meaning(CredentialsRejected),
    "403": Meaning(AccountBlocked),
    "404": Meaning(VoiceNotFound),
    "429": Meaning(RateLimited),
    "500": _TROUBLE,
    # Of sibling resources of the same platform: a failure of the server's, absent or not yours, already there.
    "599": _TROUBLE,
    "612": Meaning(VoiceNotFound),
    "614": Meaning(
        Refused,
        _(
            "Qiniu says that it has this already. Look at the voice again, and choose another name before you try again."
        ),
        act=Act.USER,
    ),
}
_WRONG_ADDRESS = Meaning(
    InvalidRequest, _("Qiniu does not know what was asked. Please tell the operator of this site to check its address.")
)
# What a code means for one call in particular.
MEANINGS_OF_CALL: Mapping[tuple[Call, str], Meaning] = {
    (Call.CREATE, "400"): Meaning(
        InvalidRequest, _("Qiniu did not make a place for this voice. Please tell the operator of this site.")
    ),
    (Call.TRAIN, "400"): Meaning(
        InvalidRequest,
        _(
            "Qiniu did not accept this training. If the voice is still being trained there, wait until that has ended; "
            "otherwise tell the operator of this site."
        ),
    ),
    (Call.RENAME, "400"): Meaning(
        InvalidRequest, _("Qiniu did not accept this name. Please choose another one."), act=Act.USER
    ),
    (Call.DELETE, "403"): Meaning(VoiceNotDeletable),
    (Call.CREATE, "404"): _WRONG_ADDRESS,
    (Call.LIST, "404"): _WRONG_ADDRESS,
}


def refused(
    *,
    call: Call,
    code: str,
    message: str,
    http_status: int,
    request_id: str,
    effect: bool,
    retry_after: float | None = None,
) -> ProviderError:
    """What an answer other than success means. `effect` as in `HttpClient.call`: after a failure of the server's own, what
    became of such a call has to be looked up."""
    deciding = code or str(http_status)
    meaning = MEANINGS_OF_CALL.get((call, deciding)) or MEANINGS.get(deciding) or _by_size(deciding)
    if effect and meaning.kind is ProviderTrouble:
        meaning = Meaning(OutcomeUnknown)
    return meaning.kind(
        message,
        provider=SLUG,
        provider_code=code,
        request_id=request_id,
        http_status=http_status,
        sentence=meaning.sentence,
        act=meaning.act,
        retry_after=retry_after if meaning.kind is RateLimited else None,
    )


def _by_size(deciding: str) -> Meaning:
    """For a code that nobody has told us about; it is carried in the error all the same."""
    if len(deciding) == 3 and deciding.startswith("5"):
        return _TROUBLE
    return Meaning(Refused)

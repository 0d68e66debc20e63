"""Why somebody is not let in.

PortalError
├── NotLetIn                401, with a code for programs and a sentence for people
│   ├── TokenMissing        nobody said who is asking
│   ├── TokenMalformed      a typo, or a token of another service
│   ├── TokenUnknown        well-formed, and not ours (any more)
│   ├── TokenRevoked        its owner took it back
│   ├── TokenExpired        its time is over
│   ├── TokenElsewhere      it may not be used from this address: 403
│   └── OwnerInactive       the account behind it is closed
├── MoreThanOwn             403: a token may not make one that may do more
└── Busy
    └── TooManyRequests     429: more in this minute than are allowed
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from voices.errors import Busy, PortalError


class NotLetIn(PortalError):
    code = "not_authenticated"


class TokenMissing(NotLetIn):
    code = "token_missing"
    default_sentence = _(
        "This needs an API token. Make one on the page “API tokens” and send it as “Authorization: Bearer …”."
    )


class TokenMalformed(NotLetIn):
    code = "token_malformed"
    default_sentence = _(
        "This is not a whole API token of this site. Copy it again, from “vcp_” to its last character."
    )


class TokenUnknown(NotLetIn):
    code = "token_unknown"
    default_sentence = _("This API token is not known here. Make a new one on the page “API tokens”.")


class TokenRevoked(NotLetIn):
    code = "token_revoked"
    default_sentence = _("This API token has been revoked. Make a new one on the page “API tokens”.")


class TokenExpired(NotLetIn):
    code = "token_expired"
    default_sentence = _("This API token has expired. Make a new one on the page “API tokens”.")


class TokenElsewhere(NotLetIn):
    code = "address_not_allowed"
    default_sentence = _(
        "This API token may not be used from this address. Use it from where it was made for, or make another one."
    )


class OwnerInactive(NotLetIn):
    code = "account_inactive"
    default_sentence = _("The account behind this API token is closed. Please ask the operator of this site.")


class MoreThanOwn(PortalError):
    """A token asked for one that may do more than itself."""

    code = "more_than_own"


class TooManyRequests(Busy):
    code = "throttled"
    default_sentence = _("These were more requests than you may send in a minute. Please wait until it is over.")

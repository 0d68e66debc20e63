"""Who is behind a request, for what must be kept about them. The same for pages and API."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from rest_framework.request import Request

from voices import consent as consents
from voices.consent import Consent
from voices.models import ConsentRecording


def token_of(request: Request) -> int | None:
    """The number of the API token that asks; None for somebody with a browser."""
    return None if request.auth is None else int(request.auth.pk)


def consent_from(
    request: HttpRequest, *, ticked: bool, channel: str, recording: ConsentRecording | None = None
) -> Consent:
    """The statement as this request's sender was shown it. `channel` is of VoiceConsent.Channel. Raises ConsentMissing.

    The address is the one that the log-in rate limits count, so both trust the same proxies.
    """
    return consents.accepted(
        ticked=ticked,
        channel=channel,
        address=_address_of(request),
        user_agent=request.headers.get("User-Agent", ""),
        recording=recording,
    )


def _address_of(request: HttpRequest) -> str | None:
    """None where nobody knows, as behind a Unix socket: allauth would refuse the request for that."""
    try:
        return str(get_adapter().get_client_ip(request))
    except PermissionDenied:
        return None

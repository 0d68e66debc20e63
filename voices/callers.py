"""Who is behind a request, for what must be kept about them. The same for pages and API."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from django.http import HttpRequest

from voices import consent as consents
from voices.consent import Consent


def consent_from(request: HttpRequest, *, ticked: bool, channel: str) -> Consent:
    """The statement as this request's sender was shown it. `channel` is of VoiceConsent.Channel. Raises ConsentMissing.

    The address is the one that the log-in rate limits count, so both trust the same proxies.
    """
    return consents.accepted(
        ticked=ticked,
        channel=channel,
        address=get_adapter().get_client_ip(request),
        user_agent=request.headers.get("User-Agent", ""),
    )

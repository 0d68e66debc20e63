"""`Authorization: Bearer <token>` for the API, or `xi-api-key: <token>`, as ElevenLabs' clients send it."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils import translation
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from voiceclone_site.accounts.errors import NotLetIn, TokenElsewhere
from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.accounts.services import check_token
from voices import logbook


class TokenAuthentication(BaseAuthentication):
    """`request.user` is the token's owner, `request.auth` the ApiToken. Without either header the next authentication is asked."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        if key := request.headers.get("xi-api-key", "").strip():
            return owner_of(key, address=address_of(request))
        word, _, text = request.headers.get("Authorization", "").partition(" ")
        if word.lower() != "bearer":
            return None
        return owner_of(text.strip(), address=address_of(request))

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def address_of(request: Request | HttpRequest) -> str:
    """As the log-in's rate limits see it, believing the same proxies; empty where nobody knows, as behind a Unix socket."""
    try:
        return str(get_adapter().get_client_ip(request))
    except PermissionDenied:
        return ""


def owner_of(text: str, *, address: str) -> tuple[User, ApiToken]:
    """Who speaks through this token, from this address; from here on in the language of their choice.

    Raises AuthenticationFailed (401) or TokenElsewhere (403).
    """
    try:
        row = check_token(text, address=address)
    except TokenElsewhere:
        raise
    except NotLetIn as refusal:
        raise AuthenticationFailed(refusal.sentence, refusal.code) from refusal
    logbook.note(user=row.owner_id, token=row.pk)
    if row.owner.language:
        translation.activate(row.owner.language)
    return row.owner, row

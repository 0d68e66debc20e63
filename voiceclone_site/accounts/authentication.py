"""`Authorization: Bearer <token>` for the API, or `xi-api-key: <token>`, as ElevenLabs' clients send it."""

from __future__ import annotations

from django.utils import translation
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from voiceclone_site.accounts.errors import NotLetIn
from voiceclone_site.accounts.models import ApiToken, User
from voiceclone_site.accounts.services import check_token
from voices import logbook


class TokenAuthentication(BaseAuthentication):
    """`request.user` is the token's owner, `request.auth` the ApiToken. Without either header the next authentication is asked."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        if key := request.headers.get("xi-api-key", "").strip():
            return owner_of(key)
        word, _, text = request.headers.get("Authorization", "").partition(" ")
        if word.lower() != "bearer":
            return None
        return owner_of(text.strip())

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def owner_of(text: str) -> tuple[User, ApiToken]:
    """Who speaks through this token; from here on in the language of their choice. Raises AuthenticationFailed (401)."""
    try:
        row = check_token(text)
    except NotLetIn as refusal:
        raise AuthenticationFailed(refusal.sentence, refusal.code) from refusal
    logbook.note(user=row.owner_id, token=row.pk)
    if row.owner.language:
        translation.activate(row.owner.language)
    return row.owner, row

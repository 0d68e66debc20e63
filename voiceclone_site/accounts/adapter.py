"""Where allauth's ways are not quite ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from voiceclone_site.accounts.services import settle_address

if TYPE_CHECKING:
    from voiceclone_site.accounts.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def login(self, request: HttpRequest, user: User) -> None:
        settle_address(user)
        super().login(request, user)

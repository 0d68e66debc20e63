"""What an API view asks of the token that calls it. A view that declares nothing is closed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from rest_framework.exceptions import MethodNotAllowed, NotAuthenticated, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from voiceclone_site.accounts.errors import TokenMissing
from voiceclone_site.accounts.models import ApiToken
from voiceclone_site.accounts.scopes import ANY, StaffScope

if TYPE_CHECKING:  # rest_framework.views itself imports the default permission classes
    from rest_framework.views import APIView


class HasScope(BasePermission):
    """Lets in whoever is logged in, and tokens that carry what the view declares.

    A view declares `required_scopes`: one scope for all methods, or `{"GET": "voices:read", "POST": "voices:write"}`. HEAD asks
    what GET asks; `scopes.ANY` asks for nothing but a valid token, and so does OPTIONS.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Raises NotAuthenticated (401), PermissionDenied (403, naming the scope) or MethodNotAllowed (405)."""
        if not request.user or not request.user.is_authenticated or not request.user.is_active:
            raise NotAuthenticated(TokenMissing.default_sentence, TokenMissing.code)
        needed = scope_for(view, request.method or "")
        if needed is None and request.method not in view.allowed_methods:
            raise MethodNotAllowed(request.method or "")
        if needed is None:
            raise PermissionDenied(_("This address is open to nobody."), "no_scope_declared")
        if needed in StaffScope.values and not getattr(request.user, "is_staff", False):
            raise PermissionDenied(_("This is for the operators of this site."), "staff_only")
        if needed != ANY and isinstance(request.auth, ApiToken):
            need_scope(request.auth, needed)
        return True


def need_scope(token: ApiToken, scope: str) -> None:
    """Raises PermissionDenied (403, naming the scope)."""
    if scope not in token.scopes:
        raise PermissionDenied(
            _("This token may not do that: it lacks the scope “%(scope)s”. Make one that has it.") % {"scope": scope},
            "scope_missing",
        )


def scope_for(view: object, method: str) -> str | None:
    """The scope that `view` declares for an HTTP method; None when it declares none."""
    declared: Mapping[str, str] | str | None = getattr(view, "required_scopes", None)
    if declared is None or isinstance(declared, str):
        return declared
    if method == "OPTIONS":
        return ANY
    return declared.get("GET" if method == "HEAD" else method)

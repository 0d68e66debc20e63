"""How many requests a minute somebody may send: counted in the shared cache, so that no request waits for the database.

A window is a minute of the clock. The count is exact over all processes that share the cache (voiceclone_site/caches.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponseBase
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from voiceclone_site.accounts.errors import TooManyRequests
from voiceclone_site.accounts.models import ApiToken, User

if TYPE_CHECKING:  # rest_framework.views itself imports the default throttle classes
    from rest_framework.views import APIView

WINDOW = 60


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left of this minute. `resets_in` in whole seconds, 1 to 60."""

    limit: int
    used: int
    resets_in: int

    @property
    def is_over(self) -> bool:
        return self.used > self.limit

    def hold(self) -> None:
        """Raises TooManyRequests when nothing was left for this request."""
        if self.is_over:
            raise TooManyRequests(retry_after=float(self.resets_in))

    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers has them, as older clients look for them, and as OpenAI's do."""
        left = max(0, self.limit - self.used)
        return {
            "RateLimit-Policy": f'"minute";q={self.limit};w={WINDOW}',
            "RateLimit": f'"minute";r={left};t={self.resets_in}',
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset": str(self.resets_in),
            "X-RateLimit-Limit-Requests": str(self.limit),
            "X-RateLimit-Remaining-Requests": str(left),
            "X-RateLimit-Reset-Requests": f"{self.resets_in}s",
        }


def count(user: User, token: ApiToken | None) -> Standing:
    """Count one request, of a token or of somebody with a browser."""
    return count_together(user, token, requests=1)[0]


def count_together(user: User, token: ApiToken | None, *, requests: int) -> list[Standing]:
    """Count requests that came at the same time, in their order."""
    now = time.time()
    limit = (
        token.requests_per_minute if token is not None and token.requests_per_minute else settings.REQUESTS_PER_MINUTE
    )
    key = f"requests:{f'token:{token.pk}' if token is not None else f'user:{user.pk}'}:{int(now // WINDOW)}"
    used = _incremented(key, requests)
    resets_in = WINDOW - int(now % WINDOW)
    return [Standing(limit, used=used - requests + place, resets_in=resets_in) for place in range(1, requests + 1)]


def _incremented(key: str, by: int) -> int:
    count: Callable[..., int] | None = getattr(cache, "count", None)
    if count is not None:
        return count(key, by, seconds=2 * WINDOW)
    # Another cache than those of the settings.
    cache.add(key, 0, 2 * WINDOW)
    return int(cache.incr(key, by))


class PerMinute(BaseThrottle):
    """For REST_FRAMEWORK["DEFAULT_THROTTLE_CLASSES"]. What is left stays with the request, for its answer's headers."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.user, User):
            return True
        standing = count(request.user, request.auth if isinstance(request.auth, ApiToken) else None)
        request._request.standing = standing  # type: ignore[attr-defined]
        standing.hold()
        return True


class RateHeadersMiddleware:
    """Tells every caller of the API what is left, also in a refusal: one for want of a scope comes before the throttle has counted
    the request, so it is counted here."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        standing: Standing | None = getattr(request, "standing", None)
        token = getattr(request, "auth", None)  # REST framework leaves it here
        if standing is None and isinstance(token, ApiToken):
            standing = count(token.owner, token)
        if standing is not None:
            for name, value in standing.headers().items():
                response.headers[name] = value
        return response

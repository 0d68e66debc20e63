"""/v1/user, /v1/user/subscription and /v1/usage: who asks, what they may use, and what they have used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request
from rest_framework.response import Response

from synthesis import usage
from synthesis.dialect_api import DialectView, number
from voices import standing
from voices.errors import InvalidInput
from voices.models import Budget, Measure

NO_LIMIT = 2**31 - 1
"""Their clients need a number."""
LATEST = 253_402_300_799_000
"""The end of the year 9999, in milliseconds since 1970."""

BREAKDOWNS: Mapping[str, str] = {"none": "", "voice": "voice__name", "model": "model", "user": "owner__email"}
METRICS: Mapping[str, usage.Measure] = {
    "credits": "characters",
    "tts_characters": "characters",
    "request_count": "jobs",
    "minutes_used": "minutes",
}
INTERVALS: Mapping[str, usage.Interval] = {
    "hour": "hour",
    "day": "day",
    "week": "week",
    "month": "month",
    "cumulative": "cumulative",
}


class UserView(DialectView):
    required_scopes = {"GET": "usage:read"}

    def get(self, request: Request) -> Response:
        user: Any = request.user
        subscription = _subscription(request)
        return Response(
            {
                "user_id": str(user.pk),
                "workspace_id": str(user.pk),
                "first_name": user.display_name or None,
                "xi_api_key_preview": getattr(request.auth, "shown_prefix", None),
                "created_at": int(user.date_joined.timestamp()),
                "subscription": {name: value for name, value in subscription.items() if "invoice" not in name},
                "is_new_user": False,
                "can_use_delayed_payment_methods": False,
                "is_onboarding_completed": True,
                "is_onboarding_checklist_completed": True,
                "seat_type": "workspace_admin" if user.is_staff else "workspace_member",
            }
        )


class SubscriptionView(DialectView):
    required_scopes = {"GET": "usage:read"}

    def get(self, request: Request) -> Response:
        return Response(_subscription(request))


class CharacterStatsView(DialectView):
    required_scopes = {"GET": "usage:read"}

    def get(self, request: Request) -> Response:
        asked = request.query_params
        begin = number(request, "start_unix", default=0, most=LATEST)
        end = number(request, "end_unix", default=int(timezone.now().timestamp() * 1000), most=LATEST)
        series = usage.series(
            request.user,
            since=datetime.fromtimestamp(begin / 1000, UTC),
            until=datetime.fromtimestamp(end / 1000, UTC),
            interval=_one_of(INTERVALS, "aggregation_interval", asked.get("aggregation_interval") or "day"),
            by=_one_of(BREAKDOWNS, "breakdown_type", asked.get("breakdown_type") or "none"),
            measure=_one_of(METRICS, "metric", asked.get("metric") or "credits"),
        )
        return Response(
            {
                "time": [int(moment.timestamp() * 1000) for moment in series.moments],
                "usage": {name or "All": values for name, values in series.values.items()},
            }
        )


def _one_of(known: Mapping[str, Any], field: str, given: str) -> Any:
    """Raises InvalidInput."""
    if given not in known:
        raise InvalidInput(fields={field: [_("Choose one of: {offered}.").format(offered=", ".join(known))]})
    return known[given]


def _subscription(request: Request) -> dict[str, Any]:
    """Of the person's characters and the key's own the fewer: what their clients show as left can then be spoken."""
    readings = {reading.measure: reading for reading in standing.of_person(request.user)}
    characters, voices = readings[Measure.CHARACTERS], readings[Measure.VOICES]
    key = request.auth
    if isinstance(key, Budget) and key.characters_per_month is not None:
        own = next(each for each in standing.of_tokens([key])[key.pk] if each.measure is Measure.CHARACTERS)
        characters = min(own, characters, key=lambda each: NO_LIMIT if each.left is None else each.left)
    return {
        "tier": "portal",
        "character_count": characters.used,
        "character_limit": NO_LIMIT if characters.limit is None else characters.limit,
        "max_credit_limit_extension": 0,
        "can_extend_character_limit": False,
        "allowed_to_extend_character_limit": False,
        "next_character_count_reset_unix": characters.resets_at and int(characters.resets_at.timestamp()),
        "voice_slots_used": voices.used,
        "voice_limit": NO_LIMIT if voices.limit is None else voices.limit,
        "voice_add_edit_counter": 0,
        "professional_voice_slots_used": 0,
        "professional_voice_slots_used_in_workspace": 0,
        "professional_voice_limit": 0,
        "can_extend_voice_limit": False,
        "can_use_instant_voice_cloning": True,
        "can_use_professional_voice_cloning": False,
        "current_overage": {"amount": "0", "currency": "usd"},
        "status": "active",
        "billing_period": "monthly_period",
        "character_refresh_period": "monthly_period",
        "open_invoices": [],
        "has_open_invoices": False,
    }

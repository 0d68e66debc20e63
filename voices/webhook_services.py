"""What people ask of their webhooks."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from voices import failures, outward, webhooks
from voices.durable import wake_all
from voices.errors import Exhausted, InvalidInput, WrongState
from voices.models import DeliveryEvent, Owner, WebhookDelivery, WebhookEndpoint, WebhookEvent
from voices.outward import AddressRefused
from voices.webhook_models import new_secret

MOST = 10
"""Endpoints of one person."""
REPLAYED_AT_ONCE = 500

State = WebhookDelivery.State


def add_endpoint(owner: Owner, *, url: str, events: Collection[str]) -> WebhookEndpoint:
    """Open an endpoint; its `secret` is for its owner to see once. Raises InvalidInput, Exhausted."""
    url, events = _checked(url, events)
    if WebhookEndpoint.objects.of(owner).count() >= MOST:
        raise Exhausted(
            format_lazy(
                _("You have {most} webhooks, which is the most. Delete one that is no longer needed."), most=MOST
            )
        )
    return WebhookEndpoint.objects.create(owner=owner, url=url, events=events)


def change_endpoint(
    endpoint: WebhookEndpoint,
    *,
    url: str | None = None,
    events: Collection[str] | None = None,
    enabled: bool | None = None,
) -> None:
    """Raises InvalidInput, and then nothing has changed."""
    endpoint.url, endpoint.events = _checked(
        endpoint.url if url is None else url, endpoint.events if events is None else events
    )
    with transaction.atomic():
        if enabled:
            endpoint.disabled_at, endpoint.disabled_why = None, ""
        endpoint.save(update_fields=["url", "events", "disabled_at", "disabled_why"])
        if enabled is False:
            webhooks.switch_off(endpoint, WebhookEndpoint.Disabled.BY_OWNER)
            endpoint.refresh_from_db()


def renew_secret(endpoint: WebhookEndpoint) -> str:
    """From now on everything is signed with the new secret, also what is sent again."""
    endpoint.secret = new_secret()
    endpoint.save(update_fields=["secret"])
    return str(endpoint.secret)


def replay(delivery: WebhookDelivery) -> None:
    """Send the same message anew, with its old id. Raises WrongState while it is still being tried or the endpoint is off."""
    if not delivery.endpoint.is_open:
        raise WrongState(_("This webhook is switched off. Switch it on again, then send the message anew."))
    if not _sent_anew(WebhookDelivery.objects.filter(pk=delivery.pk)):
        raise WrongState(_("This message is being sent just now. Look at it again in a moment."))


def replay_since(endpoint: WebhookEndpoint, *, since: datetime) -> int:
    """Send anew, oldest first, what was not accepted since then; how many that are, at most 500 at once. Raises WrongState."""
    if not endpoint.is_open:
        raise WrongState(_("This webhook is switched off. Switch it on again, then send the message anew."))
    return _sent_anew(endpoint.deliveries.exclude(state=State.DELIVERED).filter(created_at__gte=since))


def _sent_anew(wanted: QuerySet[WebhookDelivery]) -> int:
    """How many of these are owed again; what is being sent just now is left alone."""
    now = timezone.now()
    resting = wanted.filter(Q(lease_until=None) | Q(lease_until__lte=now)).order_by("created_at", "id")
    changed: dict[str, Any] = {"state": State.WAITING, "due_at": now, "attempts": 0, "delivered_at": None}
    with transaction.atomic():
        found = list(resting.select_for_update(no_key=True)[:REPLAYED_AT_ONCE])
        pks = [each.pk for each in found]
        WebhookDelivery.objects.filter(pk__in=pks).update(**changed, **failures.CLEARED, updated_at=now)
        DeliveryEvent.objects.bulk_create(
            DeliveryEvent(row=each, kind="replayed", from_state=each.state, to_state=State.WAITING) for each in found
        )
        wake_all(webhooks.DELIVER, pks)
    return len(found)


def last_hour() -> datetime:
    return timezone.now() - timedelta(hours=1)


def _checked(url: str, events: Collection[str]) -> tuple[str, list[str]]:
    wrong: dict[str, list[Any]] = {}
    url = url.strip()
    try:
        if len(url) > 500:
            raise AddressRefused(_("This address is too long: 500 characters at most."))
        outward.check_address(url, schemes=("https",))
    except AddressRefused as refused:
        wrong["url"] = [refused.sentence]
    if not events:
        wrong["events"] = [_("Choose at least one event.")]
    if unknown := sorted(set(events) - set(WebhookEvent.values)):
        wrong["events"] = [format_lazy(_("There is no event “{event}”."), event=unknown[0])]
    if wrong:
        raise InvalidInput(fields=wrong)
    return url, [event for event in WebhookEvent.values if event in events]

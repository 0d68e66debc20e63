"""Tell somebody's program what has happened: Standard Webhooks 1.0 (standardwebhooks.com), by durable rows.

    emit (in the transition's own transaction) ─► WebhookDelivery ─► wake-up ─► deliver ─► Delivered | later again | Failed

A message is sent until a receiver accepts it (any 2xx), by a schedule that reaches over three days. It may therefore arrive more
than once and out of order: `webhook-id` stays the same for every attempt. Each attempt carries a time and a signature of its own.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _

from voices import failures, outward
from voices.durable import DurableRow, claim, room_in_queue, wake_all, write_back
from voices.errors import PortalError
from voices.outward import AddressRefused, OutwardFailed, Reply
from voices.webhook_models import DeliveryEvent, WebhookDelivery, WebhookEndpoint, WebhookEvent

DELIVER = "voices.tasks.deliver_webhook"
SECONDS = 10.0
LEASE = timedelta(seconds=45)
KEPT_ANSWER = 500
"""Characters of a receiver's answer that are shown to its owner."""
AGAIN_AFTER = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
KEPT_FOR = timedelta(days=30)
PRUNED_AT_ONCE = 1000

State = WebhookDelivery.State


class NotAccepted(PortalError):
    """The receiver answered, and not with a 2xx."""

    code = "not_accepted"


def emit(owner_id: Any, event: WebhookEvent, data: Callable[[], Mapping[str, Any]]) -> None:
    """Owe this message to every open endpoint of the owner that asked for such events. To be called inside the transaction of
    what it tells of; `data` is asked for only if somebody listens."""
    listening = [
        endpoint
        for endpoint in WebhookEndpoint.objects.filter(owner=owner_id, disabled_at=None)
        if event.value in endpoint.events
    ]
    if not listening:
        return
    now = timezone.now()
    body = json.dumps(
        {"type": event.value, "timestamp": now.isoformat(), "data": dict(data())}, ensure_ascii=False, default=str
    )
    owed = [WebhookDelivery(endpoint=endpoint, event=event, body=body, due_at=now) for endpoint in listening]
    WebhookDelivery.objects.bulk_create(owed)
    wake_all(DELIVER, [each.pk for each in owed])


def told_of_error(row: DurableRow) -> dict[str, str] | None:
    """The error of a row in its owner's language; None while nothing is wrong."""
    if not row.error_code:
        return None
    owner = getattr(row, "owner", None)
    with translation.override(getattr(owner, "language", "") or settings.LANGUAGE_CODE):
        message = failures.shown(row.error_sentence)
    return {
        "code": row.error_code,
        "message": message,
        "action": row.error_action,
        "provider_code": row.error_provider_code,
        "provider_request_id": row.provider_request_id,
    }


def signature(secret: str, message_id: str, timestamp: int, body: str) -> str:
    """`v1,` and the HMAC-SHA-256 of `id.timestamp.body` in base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{message_id}.{timestamp}.{body}".encode(), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


# --- what the worker does --------------------------------------------------------------------------------------------


def deliver(pk: uuid.UUID | str) -> None:
    """Send one message once, if it is due and in nobody's hands."""
    delivery = claim(WebhookDelivery, pk, lease=LEASE)
    if delivery is None:
        return
    endpoint = delivery.endpoint
    if not endpoint.is_open:
        _give_up(
            delivery, NotAccepted(_("This webhook is switched off. Switch it on again, then send the message anew."))
        )
        return
    try:
        reply = _send(endpoint, delivery)
    except (AddressRefused, OutwardFailed) as error:
        _try_again(delivery, error, detail=getattr(error, "detail", ""))
        return
    if 200 <= reply.status < 300:
        _accepted(delivery, reply)
    elif reply.status == 410:
        _gone(delivery, reply)
    else:
        _try_again(delivery, _refusal(reply), detail=_said(reply), status=reply.status, ms=reply.ms)


def sweep() -> None:
    """Find what is due and wake it, and forget what is long past."""
    due = WebhookDelivery.objects.due().order_by("due_at").values_list("pk", flat=True)
    wake_all(DELIVER, due[: room_in_queue()])
    past = WebhookDelivery.objects.filter(due_at=None, created_at__lt=timezone.now() - KEPT_FOR)
    WebhookDelivery.objects.filter(pk__in=list(past.values_list("pk", flat=True)[:PRUNED_AT_ONCE])).delete()


def _send(endpoint: WebhookEndpoint, delivery: WebhookDelivery) -> Reply:
    timestamp = int(timezone.now().timestamp())
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "webhook-id": delivery.message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(endpoint.secret, delivery.message_id, timestamp, delivery.body),
    }
    return outward.post(endpoint.url, delivery.body.encode(), headers=headers, seconds=SECONDS, keep=4 * KEPT_ANSWER)


def _accepted(delivery: WebhookDelivery, reply: Reply) -> None:
    write_back(
        delivery,
        event=DeliveryEvent(row=delivery, kind="delivered", detail={"status": reply.status, "ms": reply.ms}),
        state=State.DELIVERED,
        due_at=None,
        delivered_at=timezone.now(),
        response_status=reply.status,
        **failures.CLEARED,
    )


def _gone(delivery: WebhookDelivery, reply: Reply) -> None:
    """Standard Webhooks: 410 means that nobody wants to be told any more."""
    gone = NotAccepted(_("The address answered that it is gone (410), so this webhook is switched off."))
    with transaction.atomic():
        if _give_up(delivery, gone, detail=_said(reply), status=reply.status, ms=reply.ms):
            switch_off(delivery.endpoint, WebhookEndpoint.Disabled.GONE)


def _try_again(
    delivery: WebhookDelivery, error: PortalError, *, detail: str, status: int | None = None, ms: int | None = None
) -> None:
    if delivery.attempts > len(AGAIN_AFTER):
        with transaction.atomic():
            if _give_up(delivery, error, detail=detail, status=status, ms=ms) and _nothing_accepted_since(delivery):
                switch_off(delivery.endpoint, WebhookEndpoint.Disabled.FAILING)
        return
    wait = AGAIN_AFTER[delivery.attempts - 1] * random.uniform(0.9, 1.1)  # noqa: S311 — jitter, not a secret
    write_back(
        delivery,
        event=_attempt(delivery, error, status=status, ms=ms),
        due_at=timezone.now() + wait,
        response_status=status,
        **(failures.kept(error) | {"error_detail": detail}),
    )


def _give_up(
    delivery: WebhookDelivery, error: PortalError, *, detail: str = "", status: int | None = None, ms: int | None = None
) -> bool:
    return write_back(
        delivery,
        event=_attempt(delivery, error, status=status, ms=ms),
        state=State.FAILED,
        due_at=None,
        response_status=status,
        **(failures.kept(error) | {"error_detail": detail}),
    )


def switch_off(endpoint: WebhookEndpoint, why: WebhookEndpoint.Disabled) -> None:
    """Nothing more is sent. What still waited has failed, and can be sent anew once the endpoint is open again."""
    now = timezone.now()
    WebhookEndpoint.objects.filter(pk=endpoint.pk, disabled_at=None).update(disabled_at=now, disabled_why=why)
    WebhookDelivery.objects.filter(endpoint=endpoint, state=State.WAITING).update(
        state=State.FAILED, due_at=None, lease_token=None, lease_until=None, updated_at=now
    )


def _nothing_accepted_since(delivery: WebhookDelivery) -> bool:
    accepted = WebhookDelivery.objects.filter(endpoint=delivery.endpoint_id, delivered_at__gte=delivery.created_at)
    return not accepted.exists()


def _attempt(delivery: WebhookDelivery, error: PortalError, *, status: int | None, ms: int | None) -> DeliveryEvent:
    told = {"code": error.code, "status": status, "ms": ms}
    return DeliveryEvent(
        row=delivery, kind="not_delivered", detail={name: value for name, value in told.items() if value is not None}
    )


def _refusal(reply: Reply) -> NotAccepted:
    if 300 <= reply.status < 400:
        return NotAccepted(_("The address redirects, which is not followed. Enter the address it leads to."))
    return NotAccepted(
        _("The receiver answered, but did not accept the message. It has to answer with a status of 200 to 299.")
    )


def _said(reply: Reply) -> str:
    return reply.body.decode(errors="replace").replace("\0", "")[:KEPT_ANSWER]

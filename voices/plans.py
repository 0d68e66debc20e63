"""Who may use how much: plans, what single people may beyond or below theirs, budgets of tokens, and the caps of accounts.

A limit is changed here and nowhere else. Every change is kept in `LimitChange`, and written to the meters of the running
period, which carry their cap themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from django.apps import apps
from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from voices import pricing
from voices.errors import InvalidInput
from voices.meters import OF_TOKEN, OF_USER, Gauge, month_of
from voices.models import Allowance, Budget, LimitChange, Measure, Meter, Owner, Plan, ProviderAccount
from voices.quota_models import UserLimits, today

Token = TypeVar("Token", bound=Budget)
DEFAULT: dict[str, Any] = {
    "name": "Standard",
    "voices": 200,
    "trainings_per_month": 500,
    "characters_per_month": 2_000_000,
    "jobs_in_flight": 1000,
    "storage_bytes": 10 * 1024**3,
}
"""As the first migration makes it; from then on it is the operator's."""
USER_LIMITS = tuple(UserLimits.COLUMNS.values())
TOKEN_LIMITS = ("characters_per_month", "spend_per_month")
ACCOUNT_LIMITS = ("voice_cap", "trainings_per_day", "characters_per_day", "spend_per_day")
ACCOUNT_PRICES = ("character_price", "training_price")


def default_plan() -> Plan:
    return Plan.objects.get_or_create(is_default=True, defaults=DEFAULT)[0]


def plan_of(user: Owner) -> Plan:
    allowance = Allowance.objects.filter(user=user).select_related("plan").first()
    return (allowance.plan if allowance else None) or default_plan()


def caps_of(user: Owner) -> dict[Measure, int | None]:
    """What this person may use; None is no limit."""
    allowance = Allowance.objects.filter(user=user).select_related("plan").first()
    return _caps((allowance.plan if allowance else None) or default_plan(), allowance)


def caps_of_token(token: Budget) -> dict[Measure, int | None]:
    """Of a month, cost in millionths of a yuan; None is no limit."""
    return {Measure.CHARACTERS: token.characters_per_month, Measure.COST: _micro(token.spend_per_month)}


def caps_of_account(account: ProviderAccount) -> dict[Measure, int | None]:
    """Of a day, cost in millionths of a yuan; None is no limit. Voice places are no meter, but a column of the account."""
    return {
        Measure.TRAININGS: account.trainings_per_day,
        Measure.CHARACTERS: account.characters_per_day,
        Measure.COST: _micro(account.spend_per_day),
    }


def open_meters(gauges: Collection[Gauge]) -> bool:
    """Make the meters of these that do not exist yet; whether there were any.

    Whoever changes a limit locks the same rows, so that no meter begins with a cap that is just being replaced.
    """
    with transaction.atomic():
        there = set(Meter.objects.filter(key__in=[each.key for each in gauges]).values_list("key", flat=True))
        missing = sorted((each for each in gauges if each.key not in there), key=lambda each: each.key)
        people = sorted({each.user_id for each in missing if each.user_id is not None})
        caps: dict[Whose, dict[Measure, int | None]]
        caps = {(user, None, None): _caps(*_locked(user)) for user in people}
        tokens = {each.token_id for each in missing if each.token_id is not None}
        # What is still to be settled for a token that is gone has no limit any more.
        caps |= {(None, gone, None): dict.fromkeys(OF_TOKEN) for gone in tokens}
        for token in _tokens().filter(pk__in=tokens).order_by("pk") if tokens else ():
            caps[None, token.pk, None] = caps_of_token(token)
        locked = ProviderAccount.objects.select_for_update(no_key=True).order_by("pk")
        for account in locked.filter(pk__in=[each.account_id for each in missing]):
            caps[None, None, account.pk] = caps_of_account(account)
        fresh = [
            Meter(
                key=each.key,
                user_id=each.user_id,
                token_id=each.token_id,
                account_id=each.account_id,
                measure=each.measure,
                period=each.period,
                cap=caps[each.user_id, each.token_id, each.account_id][each.measure],
            )
            for each in missing
        ]
        Meter.objects.bulk_create(fresh, ignore_conflicts=True)
    return bool(fresh)


# --- changing ----------------------------------------------------------------------------------------------------------


def change_plan(plan: Plan, *, by: Owner | None, **changed: Any) -> Plan:
    """Store a plan, new or not, with these limits (`USER_LIMITS`), `name` and `is_default`.

    Raises InvalidInput when nobody's default would be left.
    """
    with transaction.atomic():
        row = plan if plan.pk is None else Plan.objects.select_for_update(no_key=True).get(pk=plan.pk)
        wants_default = changed.get("is_default", row.is_default)
        if row.is_default and not wants_default:
            raise InvalidInput(
                fields={"is_default": [_("Somebody must stay on a plan: make another one the default.")]}
            )
        if wants_default and not row.is_default:
            Plan.objects.filter(is_default=True).update(is_default=False)
        _store(row, changed, by=by, subject=f"plan {changed.get('name', row.name)}")
        _write_caps(Allowance.objects.filter(Q(plan=row) | Q(plan__isnull=True) if row.is_default else Q(plan=row)))
    return row


def change_allowance(user: Owner, *, by: Owner | None, **changed: Any) -> Allowance:
    """Give one person another `plan`, or limits of their own (`USER_LIMITS`); None is as in the plan."""
    with transaction.atomic():
        _plan, row = _locked(user.pk)
        _store(row, changed, by=by, subject=str(user.email), user=user)
        _write_caps(Allowance.objects.filter(pk=row.pk))
    return row


def change_budget(token: Token, *, by: Owner | None, **changed: Any) -> Token:
    """Change what an API token may spend (`TOKEN_LIMITS`); None is no limit. What the month has seen already counts."""
    with transaction.atomic():
        row = _tokens().get(pk=token.pk)
        _store(row, changed, by=by, subject=str(row), user=row.owner, token=row)
        for measure, cap in caps_of_token(row).items():
            running = Gauge(measure, month_of(today()), token_id=row.pk)
            Meter.objects.filter(key=running.key).update(cap=cap)
    kept: Token = row
    return kept


def change_account(account: ProviderAccount, *, by: Owner | None, **changed: Any) -> ProviderAccount:
    """Change caps and prices of an account (`ACCOUNT_LIMITS`, `ACCOUNT_PRICES`); None is no limit, or the price of the settings."""
    with transaction.atomic():
        row = ProviderAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
        _store(row, changed, by=by, subject=str(row))
        for measure, cap in sorted(
            caps_of_account(row).items()
        ):  # as their keys are: the order in which meters are locked
            Meter.objects.filter(account=row, measure=measure, period=today().isoformat()).update(cap=cap)
    return row


# --- the parts -----------------------------------------------------------------------------------------------------------

Whose = tuple[int | None, int | None, int | None]
"""A person, a token or an account, by number."""


def _tokens() -> Any:
    """To read one is to lock it. The model is the site's; this floor knows only that it has a budget, an owner and a name."""
    model: Any = apps.get_model(settings.API_TOKEN_MODEL)
    return model.objects.select_for_update(no_key=True)


def _micro(yuan: Decimal | None) -> int | None:
    return None if yuan is None else int(yuan * pricing.MICRO)


def _caps(plan: Plan, allowance: Allowance | None) -> dict[Measure, int | None]:
    caps: dict[Measure, int | None] = {}
    for measure in OF_USER:
        column = UserLimits.COLUMNS[measure]
        own = getattr(allowance, column) if allowance else None
        caps[measure] = getattr(plan, column) if own is None else own
    return caps


def _locked(user_id: int) -> tuple[Plan, Allowance]:
    """A person's plan and allowance, which is made now if there is none, so that there is a row to lock."""
    Allowance.objects.bulk_create([Allowance(user_id=user_id)], ignore_conflicts=True)
    allowance = Allowance.objects.select_for_update(no_key=True).get(user_id=user_id)
    plan = allowance.plan_id or default_plan().pk
    return Plan.objects.select_for_update(no_key=True).get(pk=plan), allowance


def _write_caps(allowances: models.QuerySet[Allowance]) -> None:
    """Bring the running meters of these people in line, in the order in which everybody locks them."""
    default = default_plan()
    found = {each.user_id: each for each in allowances.select_related("plan")}
    running = Meter.objects.filter(user_id__in=list(found), period__in=("", month_of(today())))
    meters = list(running.order_by("key").select_for_update(no_key=True))
    for meter in meters:
        allowance = found[meter.user_id or 0]
        meter.cap = _caps(allowance.plan or default, allowance)[Measure(meter.measure)]
    Meter.objects.bulk_update(meters, ["cap"], batch_size=500)


def _store(
    row: models.Model,
    changed: Mapping[str, Any],
    *,
    by: Owner | None,
    subject: str,
    user: Owner | None = None,
    token: Any = None,
) -> None:
    lines = []
    for name, value in changed.items():
        before = getattr(row, name)
        if before != value:
            lines.append(
                LimitChange(
                    by=by,
                    subject=subject[:200],
                    user=user,
                    token=token,
                    limit=name,
                    before=_word(before),
                    after=_word(value),
                )
            )
        setattr(row, name, value)
    row.save()
    LimitChange.objects.bulk_create(lines)


def _word(value: Any) -> str:
    return "" if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)

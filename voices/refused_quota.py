"""What a refusal for want of quota says: what is used, what is left, when it begins anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.functional import lazystr
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from voices import pricing
from voices.errors import AccountExhausted, Exhausted, LimitReached, NoRoomLeft, Quota
from voices.meters import Gauge
from voices.models import Measure

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    Sentence = str | _StrPromise

OF_PERSON: Final[dict[Measure, Sentence]] = {
    Measure.VOICES: _(
        "You have {used} of {limit} voices. Delete one that you no longer need, or ask the operator of this site for more."
    ),
    Measure.STORAGE: _(
        "Your recordings and audio take {used} of {limit}. Delete some, or ask the operator of this site for more room."
    ),
    Measure.TRAININGS: _(
        "You have used {used} of your {limit} trainings of this month. The count begins anew on {resets}; the operator of this "
        "site can give you more."
    ),
    Measure.CHARACTERS: _(
        "This counts {asked} characters, and {left} of your {limit} of this month are left ({used} are used or reserved). "
        "Shorten it, or wait until the count begins anew on {resets}; the operator of this site can give you more."
    ),
    Measure.JOBS: _(
        "{used} of at most {limit} jobs of yours are waiting or being spoken. Try again when one has ended."
    ),
}
OF_TOKEN: Final[dict[Measure, Sentence]] = {
    Measure.CHARACTERS: _(
        "This counts {asked} characters, and {left} of the {limit} that this API token may have spoken this month are left "
        "({used} are used or reserved). Shorten it, wait until the count begins anew on {resets}, or raise the token's budget on "
        "the page “API tokens”."
    ),
    Measure.COST: _(
        "This costs {asked}, and {left} of the {limit} that this API token may spend this month are left ({used} are spent or "
        "reserved). Wait until the count begins anew on {resets}, or raise the token's budget on the page “API tokens”."
    ),
}
OF_ACCOUNT: Final[dict[Measure, Sentence]] = {
    Measure.SLOTS: _(
        "All voice places at this provider are taken. Delete a voice you no longer need, or ask the operator for more."
    ),
    Measure.TRAININGS: _(
        "This site's trainings at this provider are used up for today. They begin anew on {resets}; the operator can allow more."
    ),
    Measure.CHARACTERS: _(
        "This site's characters at this provider are used up for today. They begin anew on {resets}; the operator can allow more."
    ),
    Measure.COST: _(
        "What this site may spend at this provider today is used up. It begins anew on {resets}; the operator can allow more."
    ),
}


def of_person(gauge: Gauge, *, used: int, limit: int, asked: int) -> LimitReached:
    quota = Quota(str(gauge.measure), used=used, limit=limit, asked=asked, resets_at=gauge.resets_at)
    refusal = NoRoomLeft if gauge.measure in (Measure.VOICES, Measure.STORAGE) else LimitReached
    return refusal(_said(OF_PERSON[gauge.measure], gauge, quota), quota=quota, code=f"{gauge.measure}_exhausted")


def of_token(gauge: Gauge, *, used: int, limit: int, asked: int) -> LimitReached:
    quota = Quota(str(gauge.measure), used=used, limit=limit, asked=asked, resets_at=gauge.resets_at)
    return LimitReached(
        _said(OF_TOKEN[gauge.measure], gauge, quota), quota=quota, code=f"token_{gauge.measure}_exhausted"
    )


def of_account(gauge: Gauge) -> Exhausted:
    sentence = format_lazy(OF_ACCOUNT[gauge.measure], resets=_moment(gauge))
    code = "slots_exhausted" if gauge.measure is Measure.SLOTS else f"account_{gauge.measure}_exhausted"
    return AccountExhausted(sentence, resets_at=gauge.resets_at, code=code)


def _said(sentence: Sentence, gauge: Gauge, quota: Quota) -> Sentence:
    shown = SHOWN.get(gauge.measure, _grouped)
    return format_lazy(
        sentence,
        used=lazystr(shown(quota.used)),
        limit=shown(quota.limit),
        asked=shown(quota.asked),
        left=shown(quota.left),
        resets=_moment(gauge),
    )


def _moment(gauge: Gauge) -> str:
    return f"{timezone.localtime(gauge.resets_at):%Y-%m-%d %H:%M}" if gauge.resets_at else ""


def _grouped(number: int) -> str:
    return f"{number:,}"


SHOWN: Final[dict[Measure, Callable[[int], str]]] = {
    Measure.STORAGE: filesizeformat,
    Measure.COST: lambda micro: pricing.shown(pricing.in_yuan(micro)),
}

"""What an operator has to know first, as the rows say it at this moment: what stands still, what waits for somebody, what failed.

Every figure is one query over an index or a small table, and their number does not depend on how much there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Max, QuerySet
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from synthesis.models import SynthesisJob
from voiceclone_site.health import WORKER_SILENCE
from voices import book
from voices.durable import DurableRow
from voices.evidence import ACTS
from voices.failures import shown
from voices.models import (
    Finding,
    ProviderAccount,
    QueueHeartbeat,
    RateBucket,
    VoiceClone,
    WebhookDelivery,
)
from voices.providers import registry
from voices.providers.errors import Act
from voices.queues import Queue
from voices.standing import Reading, of_accounts

if TYPE_CHECKING:
    from voices.errors import Sentence

DAY = timedelta(days=1)
LATE = timedelta(seconds=300)
"""A row that has been due for so long says that there are too few workers, or that rates are too low."""
UNCLEAR = timedelta(seconds=1800)
"""A call without an answer is cleared up in seven minutes where the provider can be asked; after this somebody is woken."""
MOST_ROWS = 20
MOST_FAILURES = 30


@dataclass(frozen=True, slots=True)
class AccountStanding:
    """`held`: the operations that the provider wants a pause of, and until when. `differences`: findings that nobody has
    dismissed, beside those that the page shows as rows."""

    account: ProviderAccount
    meters: tuple[Reading, ...]
    held: tuple[tuple[Sentence, datetime], ...]
    differences: int

    @property
    def trouble(self) -> str:
        """What the provider did, in the reader's language."""
        return shown(self.account.circuit_sentence)


@dataclass(frozen=True, slots=True)
class QueueStanding:
    queue: Queue
    beat_at: datetime | None
    length: int
    is_deaf: bool


@dataclass(frozen=True, slots=True)
class Oldest:
    """The row that has been due for longest and that nobody works on."""

    row: DurableRow
    queue: Queue
    label: Sentence
    is_late: bool

    @property
    def address(self) -> str:
        meta = self.row._meta
        return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[self.row.pk])


@dataclass(frozen=True, slots=True)
class Failure:
    """What failed alike in the last day. `remedy` is the error book's, or the sentence that our own error ends in."""

    label: Sentence
    admin_list: str
    state: str
    provider: str
    code: str
    provider_code: str
    number: int
    last: datetime
    sentence: str
    remedy: Sentence
    acts: Sentence
    help_url: str


@dataclass(frozen=True, slots=True)
class Differences:
    account: ProviderAccount
    kind: str
    label: Sentence
    number: int


@dataclass(frozen=True, slots=True)
class Standing:
    at: datetime
    accounts: tuple[AccountStanding, ...]
    queues: tuple[QueueStanding, ...]
    oldest: tuple[Oldest, ...]
    undecided: tuple[VoiceClone, ...]
    unclear: tuple[VoiceClone, ...]
    owed: tuple[VoiceClone, ...]
    owed_findings: tuple[Finding, ...]
    failures: tuple[Failure, ...]
    differences: tuple[Differences, ...]


def standing() -> Standing:
    now = timezone.now()
    accounts = list(ProviderAccount.objects.order_by("provider", "name"))
    differences = tuple(_differences({account.pk: account for account in accounts}))
    voices = VoiceClone.objects.select_related("account", "owner")
    return Standing(
        at=now,
        accounts=tuple(_accounts(accounts, differences, now=now)),
        queues=tuple(_queues(now)),
        oldest=tuple(_oldest(now)),
        undecided=tuple(
            voices.filter(state=VoiceClone.State.UNKNOWN, due_at=None).order_by("intent_at", "pk")[:MOST_ROWS]
        ),
        unclear=tuple(
            voices.filter(state=VoiceClone.State.UNKNOWN, due_at__isnull=False, intent_at__lt=now - UNCLEAR).order_by(
                "intent_at", "pk"
            )[:MOST_ROWS]
        ),
        owed=tuple(
            voices.filter(state=VoiceClone.State.DELETING).exclude(error_code="").order_by("updated_at")[:MOST_ROWS]
        ),
        owed_findings=tuple(
            Finding.objects.filter(delete_wanted_at__isnull=False)
            .select_related("account")
            .order_by("delete_wanted_at")[:MOST_ROWS]
        ),
        failures=tuple(sorted(_failures(now), key=lambda failure: -failure.number)),
        differences=differences,
    )


def _accounts(
    accounts: list[ProviderAccount], differences: tuple[Differences, ...], *, now: datetime
) -> Iterator[AccountStanding]:
    readings = of_accounts(accounts)
    held: dict[int, list[tuple[Sentence, datetime]]] = {}
    for bucket in RateBucket.objects.filter(held_until__gt=now.timestamp()).order_by("key"):
        pk, _colon, operation = bucket.key.partition(":")
        until = datetime.fromtimestamp(bucket.held_until, tz=timezone.get_current_timezone())
        held.setdefault(int(pk), []).append((book.SERVICES.get(operation, operation), until))
    for account in accounts:
        yield AccountStanding(
            account=account,
            meters=tuple(readings[account.pk]),
            held=tuple(held.get(account.pk, ())),
            differences=sum(each.number for each in differences if each.account == account),
        )


def _queues(now: datetime) -> Iterator[QueueStanding]:
    beats = dict(QueueHeartbeat.objects.values_list("queue", "beat_at"))
    lengths: Mapping[str, int] = dict(OrmQ.objects.values_list("key").annotate(Count("pk")))
    for queue in Queue:
        beat = beats.get(queue.value)
        yield QueueStanding(
            queue=queue,
            beat_at=beat,
            length=lengths.get(queue.value, 0),
            is_deaf=beat is None or now - beat > WORKER_SILENCE,
        )


def _oldest(now: datetime) -> Iterator[Oldest]:
    """One of each kind of row; recordings that wait to be handed over lie in another queue than the other voices."""
    to_hand_over = VoiceClone.objects.due().filter(state=VoiceClone.State.INIT)
    others = VoiceClone.objects.due().exclude(state=VoiceClone.State.INIT)
    kinds: tuple[tuple[QuerySet[Any], Queue], ...] = (
        (to_hand_over, Queue.SLOW),
        (SynthesisJob.objects.due().defer("marks"), Queue.SLOW),
        (others, Queue.DEFAULT),
        (WebhookDelivery.objects.due(), Queue.DEFAULT),
    )
    for rows, queue in kinds:
        row = rows.order_by("due_at").first()
        if row is not None:
            yield Oldest(row, queue, rows.model._meta.verbose_name, is_late=now - row.due_at > LATE)


def _failures(now: datetime) -> Iterator[Failure]:
    voices = VoiceClone.objects.filter(state=VoiceClone.State.FAILED, updated_at__gte=now - DAY)
    jobs = SynthesisJob.objects.filter(state=SynthesisJob.State.FAILED, created_at__gte=now - DAY)
    for rows in (voices, jobs):
        alike = rows.order_by().values(
            "provider", "error_code", "error_provider_code", "error_sentence", "error_action"
        )
        for row in alike.annotate(number=Count("pk"), last=Max("updated_at"), words=Max("error_detail")).order_by(
            "-number"
        )[:MOST_FAILURES]:
            yield _failure(rows, row)


def _failure(rows: QuerySet[Any], row: Mapping[str, Any]) -> Failure:
    sentence, code = shown(row["error_sentence"]), row["error_provider_code"]
    entry = book.entry_for(
        provider=row["provider"], code=code, kind=row["error_code"], sentence=sentence, message=row["words"]
    )
    acts = entry.acts if entry else row["error_action"]
    slug = row["provider"]
    return Failure(
        label=rows.model._meta.verbose_name_plural,
        admin_list=f"admin:{rows.model._meta.app_label}_{rows.model._meta.model_name}_changelist",
        state=str(rows.model.State.FAILED),
        provider=str(registry.traits(slug).label) if slug in registry.slugs() else slug,
        code=row["error_code"],
        provider_code=code,
        number=row["number"],
        last=row["last"],
        sentence=sentence,
        remedy=entry.remedy if entry else "",
        acts=ACTS[Act(acts)] if acts else "",
        help_url=book.help_url(code, entry) if code else "",
    )


def _differences(accounts: Mapping[int, ProviderAccount]) -> Iterator[Differences]:
    # What is owed and what is undecided stands on the page by itself, as the rows say it now and not as the night found it.
    open_ones = Finding.objects.filter(dismissed_at=None).exclude(kind__in=(Finding.Kind.DEBT, Finding.Kind.UNDECIDED))
    open_ones = open_ones.order_by("account", "kind")
    for row in open_ones.values("account", "kind").annotate(number=Count("pk")):
        kind = Finding.Kind(row["kind"])
        yield Differences(accounts[row["account"]], kind.value, kind.label, row["number"])

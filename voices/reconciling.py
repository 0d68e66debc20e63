"""The provider's list against ours, account by account: what does not agree, kept as findings, and what may be done about each.

Looking changes nothing, neither here nor there. What is done is done to one finding at a time, by an operator, and checked anew
when it is done: nothing is deleted at a provider that we did not make.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from voices import leave, rate
from voices.durable import move, wake
from voices.errors import Busy, WrongState
from voices.findings import Finding
from voices.models import ProviderAccount, VoiceClone, VoiceEvent
from voices.outcomes import ADVANCE, count_place
from voices.providers.base import RemoteState, RemoteVoice
from voices.providers.errors import ProviderError

logger = logging.getLogger(__name__)

State, Kind = VoiceClone.State, Finding.Kind

RECONCILE = "voices.tasks.reconcile_account"
AT_NIGHT = 3
"""The hour, in the site's time zone, from which on an account's list is compared once a day."""
WARNED_BEFORE = timedelta(days=60)
"""How long before its provider removes a voice that does not speak it is shown."""
HERE = (State.TRAINING, State.SUCCESS)
BELIEVED = (Kind.GHOST, Kind.EXPIRED, Kind.RENAMED, Kind.DEBT)
ADOPTING = (State.INIT, State.UNKNOWN, State.FAILED, State.EXPIRED)


@dataclass(frozen=True, slots=True)
class Disagreement:
    kind: Finding.Kind
    remote_id: str = ""
    voice: VoiceClone | None = None
    is_ours: bool = False
    detail: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Comparison:
    """`listed`: the provider told what it holds. Without that only what our own rows know of can be found."""

    account: ProviderAccount
    listed: bool
    held: int
    disagreements: tuple[Disagreement, ...]


def compare(account: ProviderAccount) -> Comparison:
    """Ask the provider for its list, where it has one, and hold ours against it.

    Raises Busy when no call may leave now, and ProviderError.
    """
    # The provider's list first: a voice that is made meanwhile is in our rows, at worst, and not in the list.
    remote = _listed(account)
    found = [*_known_here(account), *(_differences(account, remote) if remote is not None else ())]
    return Comparison(account=account, listed=remote is not None, held=len(remote or ()), disagreements=tuple(found))


def run(account: ProviderAccount) -> Comparison:
    """Compare, and keep what was found. What is no longer found is forgotten, unless it still has to be deleted there."""
    now = timezone.now()
    comparison = compare(account)
    for each in comparison.disagreements:
        Finding.objects.update_or_create(
            account=account,
            kind=each.kind,
            remote_id=each.remote_id,
            voice=each.voice,
            defaults={"is_ours": each.is_ours, "detail": each.detail, "seen_at": now},
        )
    gone = Finding.objects.filter(account=account, seen_at__lt=now)
    if not comparison.listed:
        gone = gone.filter(kind__in=(Kind.IDLE, Kind.DEBT, Kind.UNDECIDED))
    gone.delete()
    for owed in Finding.objects.filter(account=account, delete_wanted_at__isnull=False).select_related("account"):
        _delete(owed)
    ProviderAccount.objects.filter(pk=account.pk).update(reconciled_at=now)
    return comparison


def nightly() -> None:
    """Wake the comparison of every account that has had none since this night's hour."""
    for pk in _not_since_tonight().filter(is_open=True).values_list("pk", flat=True):
        wake(RECONCILE, str(pk))


def by_schedule(pk: int) -> None:
    """One account's nightly comparison. Doubled or late it does no harm; a provider that cannot be asked is asked next night."""
    account = _not_since_tonight().filter(pk=pk).first()
    if account is None:
        return
    mine = ProviderAccount.objects.filter(pk=pk, reconciled_at=account.reconciled_at)
    if not mine.update(reconciled_at=timezone.now()):
        return
    try:
        run(account)
    except (Busy, ProviderError) as error:
        logger.warning("the list of provider account %s could not be compared: %s", pk, error)


# --- what may be done about a finding ------------------------------------------------------------------------------------


def is_waited_for(finding: Finding) -> bool:
    """Whether it is an orphan whose row is there and has no voice. Trained anew, that row may have gone to another account."""
    voice = finding.voice
    if finding.kind != Kind.ORPHAN or voice is None or voice.account_id != finding.account_id:
        return False
    return voice.state in ADOPTING and not voice.remote_id


def adopt(finding: Finding, *, by: str) -> VoiceClone:
    """Give an orphan to the row that it was made for: one that carries our mark and whose row has no voice.

    Raises WrongState when there is no such row any more.
    """
    voice = finding.voice
    if voice is None or not is_waited_for(finding):
        raise WrongState(
            _(
                "No voice here is waiting for this one. Whoever it belongs to can take it over by its id at the provider."
            )
        )
    with transaction.atomic():
        take(voice, remote_id=finding.remote_id, event="adopted", by=by)
        finding.delete()
    return voice


def take(voice: VoiceClone, *, remote_id: str, event: str, by: str) -> None:
    """This id at the provider is the voice's: it is asked for next. Inside a transaction. Raises WrongState."""
    if VoiceClone.objects.filter(account=voice.account_id, remote_id=remote_id).exclude(state=State.DELETED).exists():
        raise WrongState(_("Another voice here has this id at the provider already."))
    now = timezone.now()
    moved = move(
        voice,
        states=ADOPTING,
        event=VoiceEvent(row=voice, kind=event, detail={"remote_id": remote_id, "by": by}),
        state=State.TRAINING,
        remote_id=remote_id,
        intent="",
        looks=0,
        attempts=0,
        due_at=now,
        deadline=now + timedelta(seconds=voice.traits.training_deadline_seconds),
    )
    if not moved:
        raise WrongState(_("This voice has changed meanwhile. Please look at it again before going on."))
    count_place(voice)
    wake(ADVANCE, voice.pk)


def delete_there(finding: Finding) -> bool:
    """Delete an orphan or a duplicate at the provider. False: that failed and is owed; it is tried again every night.

    Raises WrongState for what we did not make, or what a voice here has by now.
    """
    if finding.kind not in (Kind.ORPHAN, Kind.DUPLICATE) or not _is_ours(finding.account, finding.remote_id):
        raise WrongState(_("This was not made by this site, so it is not ours to delete."))
    if _in_use(finding.account, finding.remote_id):
        raise WrongState(_("A voice here has this id at the provider by now. Delete that voice instead."))
    if not finding.account.traits.can_delete:
        raise WrongState(_("This provider deletes no voices."))
    Finding.objects.filter(pk=finding.pk).update(delete_wanted_at=timezone.now())
    return _delete(finding)


def believe(finding: Finding) -> None:
    """Let the voice's own row catch up with the provider, which is asked about it once more: a ghost or an expired voice becomes
    `Expired` or `Failed`, another name is told again, a deletion that is owed is tried now.

    The finding goes; the next comparison finds it again if it is still so. Raises WrongState for other kinds.
    """
    voice = finding.voice
    if voice is None or finding.kind not in BELIEVED:
        raise WrongState(_("There is nothing to catch up with here."))
    rows = VoiceClone.objects.filter(pk=voice.pk, state__in=(*HERE, State.DELETING))
    changed = {"remote_name": finding.detail["there"]} if finding.kind == Kind.RENAMED else {}
    if not rows.update(due_at=timezone.now(), **changed):
        raise WrongState(_("This voice has changed meanwhile. Please look at it again before going on."))
    Finding.objects.filter(pk=finding.pk).delete()
    wake(ADVANCE, voice.pk)


def dismiss(finding: Finding) -> None:
    """Leave it as it is: it stays known, and is no longer shown among what waits for somebody."""
    Finding.objects.filter(pk=finding.pk).update(dismissed_at=timezone.now())


# --- the parts -----------------------------------------------------------------------------------------------------------


def _not_since_tonight() -> QuerySet[ProviderAccount]:
    night = timezone.localtime().replace(hour=AT_NIGHT, minute=0, second=0, microsecond=0)
    if night > timezone.localtime():
        night -= timedelta(days=1)
    return ProviderAccount.objects.annotate(last=Coalesce("reconciled_at", "created_at")).filter(last__lt=night)


def _listed(account: ProviderAccount) -> Sequence[RemoteVoice] | None:
    pace = partial(rate.wait, account, "enrollment", per_second=account.enrollment_rate)
    inventory = account.client(pace=pace).inventory
    if inventory is None:
        return None
    leave.ask(account, "enrollment")
    with leave.watched(account, "enrollment"):
        return inventory.held()


def _known_here(account: ProviderAccount) -> Iterator[Disagreement]:
    """What our own rows know of, whether or not the provider lists."""
    rows = VoiceClone.objects.filter(account=account)
    for voice in rows.filter(state=State.DELETING).exclude(error_code=""):
        detail = {"error": voice.error_sentence, "attempts": str(voice.attempts)}
        yield Disagreement(Kind.DEBT, voice.remote_id, voice, is_ours=True, detail=detail)
    for voice in rows.filter(state=State.UNKNOWN, due_at=None):
        yield Disagreement(Kind.UNDECIDED, "", voice, is_ours=True)
    if (days := account.traits.forgotten_after_days) is not None:
        last = Coalesce("spoken_at", "ready_at", "created_at")
        long_ago = timezone.now() - timedelta(days=days) + WARNED_BEFORE
        idle = rows.filter(state=State.SUCCESS).exclude(kind=VoiceClone.Kind.STOCK).annotate(last=last)
        for voice in idle.filter(last__lt=long_ago):
            removed: datetime = getattr(voice, "last") + timedelta(days=days)  # noqa: B009 — an annotation
            yield Disagreement(
                Kind.IDLE, voice.remote_id, voice, is_ours=True, detail={"removed_from": removed.date().isoformat()}
            )


def _differences(account: ProviderAccount, remote: Sequence[RemoteVoice]) -> Iterator[Disagreement]:
    rows = VoiceClone.objects.filter(account=account).exclude(state=State.DELETED)
    ours = {voice.remote_id: voice for voice in rows.exclude(remote_id="").exclude(kind=VoiceClone.Kind.STOCK)}
    by_tag = {voice.tag: voice for voice in rows.filter(tag__in=[each.mark for each in remote if each.mark])}
    there = {each.remote_id: each for each in remote}
    for remote_id, each in there.items():
        if remote_id not in ours:
            yield _stranger(account, each, by_tag.get(each.mark))
    for remote_id, voice in ours.items():
        if voice.state in HERE:
            yield from _difference(voice, there.get(remote_id))


def _stranger(account: ProviderAccount, remote: RemoteVoice, made_for: VoiceClone | None) -> Disagreement:
    detail = {"state": remote.raw_state, "name": remote.name, "made": remote.created}
    is_twice = made_for is not None and bool(made_for.remote_id)
    return Disagreement(
        Kind.DUPLICATE if is_twice else Kind.ORPHAN,
        remote.remote_id,
        made_for,
        is_ours=made_for is not None or _is_ours(account, remote.remote_id, mark=remote.mark),
        detail={name: value for name, value in detail.items() if value},
    )


def _difference(voice: VoiceClone, remote: RemoteVoice | None) -> Iterator[Disagreement]:
    if remote is None:
        yield Disagreement(Kind.GHOST, voice.remote_id, voice, is_ours=True)
    elif voice.state == State.SUCCESS and remote.state in (RemoteState.FAILED, RemoteState.GONE):
        yield Disagreement(Kind.EXPIRED, voice.remote_id, voice, is_ours=True, detail={"state": remote.raw_state})
    elif voice.traits.can_rename and remote.name and voice.remote_name and remote.name != voice.remote_name:
        detail = {"here": voice.name, "there": remote.name[:60]}
        yield Disagreement(Kind.RENAMED, voice.remote_id, voice, is_ours=True, detail=detail)


def _is_ours(account: ProviderAccount, remote_id: str, *, mark: str = "") -> bool:
    """Whether a row of ours, be it deleted, was made with that mark or had that id. An imported voice was made by others."""
    known = Q(remote_id=remote_id) | Q(tag__in=[part for part in (mark, *remote_id.split("-")) if part])
    made = VoiceClone.objects.filter(account=account, kind=VoiceClone.Kind.CLONED)
    return made.filter(known).exists()


def _in_use(account: ProviderAccount, remote_id: str) -> bool:
    return VoiceClone.objects.filter(account=account, remote_id=remote_id).exclude(state=State.DELETED).exists()


def _delete(finding: Finding) -> bool:
    rows = Finding.objects.filter(pk=finding.pk)
    if _in_use(finding.account, finding.remote_id):
        rows.update(delete_wanted_at=None)
        return False
    try:
        leave.ask(finding.account, "enrollment")
        with leave.watched(finding.account, "enrollment"):
            finding.account.client().cloning.delete(finding.remote_id)
    except (Busy, ProviderError) as error:
        finding.error = str(error)[:2000]
        rows.update(error=finding.error)
        return False
    rows.delete()
    return True

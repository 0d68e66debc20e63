"""`manage.py reconcile`: what the providers hold against what we know, and what to do about it (docs/reconciling.md)."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet

from synthesis import keeping_services as keeping
from voices import reconciling
from voices.errors import PortalError
from voices.findings import Finding
from voices.models import ProviderAccount
from voices.providers.errors import ProviderError

Kind = Finding.Kind
ACTIONS = {
    "adopt": (Kind.ORPHAN,),
    "delete": (Kind.ORPHAN, Kind.DUPLICATE),
    "believe": (Kind.GHOST, Kind.EXPIRED, Kind.RENAMED, Kind.DEBT),
    "dismiss": tuple(Kind),
    "keep-alive": (Kind.IDLE,),
}


class Command(BaseCommand):
    help = "Compare what the providers hold with what we know. Without --apply nothing is changed, here or there."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", type=int, help="the number of one provider account; default: all open ones")
        parser.add_argument("--apply", choices=sorted(ACTIONS), help="what to do about the findings")
        parser.add_argument(
            "--by", help="the e-mail address of the operator who asks; a keep-alive costs their characters"
        )
        parser.add_argument("--finding", type=int, nargs="*", help="only these findings, by number")

    def handle(self, *args: Any, **options: Any) -> None:
        self._asker = get_user_model().objects.filter(email__iexact=options["by"] or "", is_staff=True).first()
        if self._asker is None and (options["by"] or options["apply"] == "keep-alive"):
            raise CommandError("Say who asks: --by with the e-mail address of a member of staff.")
        accounts = ProviderAccount.objects.filter(is_open=True)
        if options["account"] is not None:
            accounts = ProviderAccount.objects.filter(pk=options["account"])
            if not accounts:
                raise CommandError(f"There is no provider account {options['account']}.")
        for account in accounts:
            self._compare(account)
            found = account.findings.filter(dismissed_at=None).select_related("voice", "account")
            if options["finding"]:
                found = found.filter(pk__in=options["finding"])
            if options["apply"]:
                self._apply(found, options["apply"])
            else:
                self._show(found)

    def _compare(self, account: ProviderAccount) -> None:
        try:
            comparison = reconciling.run(account)
        except (PortalError, ProviderError) as error:
            self.stderr.write(f"{account.pk} {account}: {error}")
            return
        told = f"holds {comparison.held}" if comparison.listed else "cannot list what it holds; our own rows only"
        self.stdout.write(f"{account.pk} {account}: {told}, {len(comparison.disagreements)} findings")

    def _show(self, found: QuerySet[Finding]) -> None:
        for finding in found:
            can = [name for name, kinds in ACTIONS.items() if finding.kind in kinds and _may(name, finding)]
            detail = ", ".join(f"{name} {value}" for name, value in finding.detail.items())
            self.stdout.write(f"  {finding.pk:>6} {finding.kind:10} {finding.remote_id or finding.voice_id}  {detail}")
            self.stdout.write(f"         can: {', '.join(can)}")

    def _apply(self, found: QuerySet[Finding], action: str) -> None:
        for finding in found.filter(kind__in=ACTIONS[action]):
            if not _may(action, finding):
                continue
            try:
                done = self._act(action, finding)
            except (PortalError, ProviderError) as error:
                self.stderr.write(f"  {finding.pk} {action}: {error}")
            else:
                self.stdout.write(
                    f"  {finding.pk} {action}: {'done' if done else 'not yet; it is tried again each night'}"
                )

    def _act(self, action: str, finding: Finding) -> bool:
        match action:
            case "adopt":
                reconciling.adopt(finding, by=str(self._asker or "manage.py reconcile"))
            case "delete":
                return reconciling.delete_there(finding)
            case "believe":
                reconciling.believe(finding)
            case "dismiss":
                reconciling.dismiss(finding)
            case "keep-alive" if finding.voice is not None and self._asker is not None:
                keeping.keep_alive(finding.voice, asked_by=self._asker)
        return True


def _may(action: str, finding: Finding) -> bool:
    """Only what we made is deleted, and only what was made for a row of ours is adopted."""
    if action == "delete":
        return finding.is_ours and finding.account.traits.can_delete
    return action != "adopt" or (finding.voice is not None and not finding.voice.remote_id)

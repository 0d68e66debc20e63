"""`manage.py create_token`: a new API token on stdout, and nothing else there."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from voiceclone_site.accounts.models import User
from voiceclone_site.accounts.scopes import Scope
from voiceclone_site.accounts.services import issue_token
from voices.errors import InvalidInput


class Command(BaseCommand):
    help = "Print a new API token, and nothing else. It is shown only this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", metavar="EMAIL", default="", help="whose token it is")
        parser.add_argument("--name", default="", help="what will use it")
        parser.add_argument(
            "--scopes",
            action="append",
            metavar="A,B",
            help=f"what it may do, separated by commas or given several times; all when absent: {', '.join(Scope.values)}",
        )
        parser.add_argument(
            "--expires-days", type=int, metavar="N", help="its end, in days from now; never when absent"
        )
        parser.add_argument(
            "--characters-per-month",
            type=int,
            metavar="N",
            help="what it may have spoken in a month; no limit when absent",
        )
        parser.add_argument(
            "--spend-per-month", metavar="CNY", help="what that may cost in a month; no limit when absent"
        )
        parser.add_argument(
            "--create-user",
            action="store_true",
            help="make the user when there is none (logs in after a password reset)",
        )

    def handle(self, **options: Any) -> None:
        if not options["user"] or not options["name"]:
            raise CommandError("Say whose token it is and what will use it: --user EMAIL --name NAME.")
        days = options["expires_days"]
        if days is not None and days < 1:
            raise CommandError(
                "--expires-days counts from today: give 1 or more, or leave it out for a token without an end."
            )
        scopes = [scope for group in options["scopes"] or Scope.values for scope in group.split(",") if scope]
        with transaction.atomic():
            owner = user_with(options["user"], create=options["create_user"])
            try:
                _row, token = issue_token(
                    owner,
                    name=options["name"],
                    scopes=scopes,
                    expires_at=None if days is None else timezone.now() + timedelta(days=days),
                    characters_per_month=options["characters_per_month"],
                    spend_per_month=options["spend_per_month"],
                )
            except InvalidInput as error:
                raise CommandError(str(error.sentence)) from error
        self.stdout.write(token.text)


def user_with(email: str, *, create: bool) -> User:
    """Raises CommandError when there is none and none may be made."""
    email = email.strip().lower()
    user = User.objects.filter(email=email).first()
    if user is not None:
        return user
    if not create:
        raise CommandError(f"There is no user with the address {email}. Correct it, or add --create-user to make one.")
    try:
        validate_email(email)
    except ValidationError:
        raise CommandError(f"{email} is no e-mail address. Give one such as alice@example.com.") from None
    return User.objects.create_user(email)

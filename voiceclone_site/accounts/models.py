"""People and their API tokens."""

from __future__ import annotations

from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from voiceclone_site.accounts.scopes import Scope, StaffScope
from voices.quota_models import Budget


def languages() -> list[tuple[str, Any]]:
    return list(settings.LANGUAGES)


class UserManager(BaseUserManager["User"]):
    use_in_migrations = True

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """Small letters throughout: nobody remembers how they typed theirs, and no provider of mail tells them apart."""
        return super().normalize_email(email).strip().lower()

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Raises ValueError without an e-mail address. Without a password nobody can log in until one is set."""
        if not email:
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, **{**fields, "is_staff": True, "is_superuser": True})

    def get_by_natural_key(self, username: str | None) -> User:
        """By e-mail, however its letters were typed. Raises User.DoesNotExist."""
        return self.get(email=self.normalize_email(username))


class User(AbstractUser):
    """Somebody who logs in by e-mail."""

    username = None  # type: ignore[assignment]
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    email = models.EmailField(_("e-mail"), unique=True)
    display_name = models.CharField(_("name"), max_length=60, blank=True)
    language = models.CharField(
        _("language"), max_length=10, blank=True, choices=languages, help_text=_("Empty: as the browser asks.")
    )

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def __str__(self) -> str:
        return self.display_name or self.email

    def get_full_name(self) -> str:
        return str(self)

    def get_short_name(self) -> str:
        return str(self)


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def of(self, user: User) -> ApiTokenQuerySet:
        return self.filter(owner=user)


class ApiToken(Budget):
    """What a program shows to act for its owner. The token itself is not here, only its SHA-256."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens", verbose_name=_("owner")
    )
    name = models.CharField(_("name"), max_length=60)
    prefix = models.CharField(_("begins with"), max_length=8, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(_("what it may do"), default=list)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    addresses = models.JSONField(
        _("allowed addresses"),
        default=list,
        blank=True,
        help_text=_("Networks such as 192.0.2.0/24. Empty: from everywhere."),
    )
    requests_per_minute = models.PositiveIntegerField(
        _("requests a minute"), null=True, blank=True, help_text=_("Empty: as many as this site allows.")
    )
    last_used_at = models.DateTimeField(
        _("last used"), null=True, blank=True, editable=False, help_text=_("To the minute.")
    )
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["owner", "-created_at", "-id"], name="token_owner_newest")]

    def __str__(self) -> str:
        return f"{self.name} · {self.shown_prefix}"

    @property
    def shown_prefix(self) -> str:
        return f"vcp_{self.prefix}…"

    @property
    def is_revoked(self) -> bool:
        return self.revoked_at is not None

    def is_expired(self, now: datetime | None = None) -> bool:
        return self.expires_at is not None and self.expires_at <= (now or timezone.now())

    @property
    def is_usable(self) -> bool:
        return not self.is_revoked and not self.is_expired()

    def may_come_from(self, address: str) -> bool:
        """Whether this token may be used from there."""
        if not self.addresses:
            return True
        try:
            asking = ip_address(address)
        except ValueError:
            return False
        asking = getattr(asking, "ipv4_mapped", None) or asking
        return any(asking in ip_network(each) for each in self.addresses)

    @property
    def scope_labels(self) -> list[str]:
        return [str(label) for value, label in [*Scope.choices, *StaffScope.choices] if value in self.scopes]

"""What may be used and what has been: plans, the limits of a person, the ledger, and the meters that are its running sums."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Final

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Measure(models.TextChoices):
    """What is counted. Cost is in millionths of a yuan, storage in bytes."""

    VOICES = "voices", _("voices")
    SLOTS = "slots", _("voice places")
    TRAININGS = "trainings", _("trainings")
    CHARACTERS = "characters", _("characters")
    JOBS = "jobs", _("jobs in flight")
    STORAGE = "storage", _("storage")
    COST = "cost", _("cost")


class UserLimits(models.Model):
    """What a person may use; null is no limit. A plan's are for all who have it, an `Allowance` changes single ones."""

    # The columns, by what they limit.
    COLUMNS: ClassVar[dict[Measure, str]] = {
        Measure.VOICES: "voices",
        Measure.TRAININGS: "trainings_per_month",
        Measure.CHARACTERS: "characters_per_month",
        Measure.JOBS: "jobs_in_flight",
        Measure.STORAGE: "storage_bytes",
    }

    voices = models.PositiveIntegerField(_("voices"), null=True, blank=True)
    trainings_per_month = models.PositiveIntegerField(_("trainings a month"), null=True, blank=True)
    characters_per_month = models.PositiveBigIntegerField(_("characters a month"), null=True, blank=True)
    jobs_in_flight = models.PositiveIntegerField(_("jobs in flight"), null=True, blank=True)
    storage_bytes = models.PositiveBigIntegerField(_("storage, bytes"), null=True, blank=True)

    class Meta:
        abstract = True


class Plan(UserLimits):
    """Empty is no limit."""

    name = models.CharField(_("name"), max_length=60, unique=True)
    is_default = models.BooleanField(
        _("default"), default=False, help_text=_("For everybody who has no plan of their own.")
    )

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["is_default"], condition=Q(is_default=True), name="one_default_plan")
        ]

    def __str__(self) -> str:
        return self.name


class Allowance(UserLimits):
    """One person's plan, and where they may use more or less than it says. Empty is as in the plan."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="allowance", verbose_name=_("user")
    )
    plan = models.ForeignKey(
        Plan,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("plan"),
        help_text=_("Empty: the default."),
    )

    class Meta:
        verbose_name = _("allowance")
        verbose_name_plural = _("allowances")

    def __str__(self) -> str:
        return str(self.user)


class Budget(models.Model):
    """What one API token may spend in a month of the calendar; null is no limit. The site's model of tokens is one of these."""

    characters_per_month = models.PositiveBigIntegerField(
        _("characters a month"), null=True, blank=True, help_text=_("Empty: as many as its owner may use.")
    )
    spend_per_month = models.DecimalField(
        _("CNY a month"),
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("Empty: no limit."),
    )

    class Meta:
        abstract = True

    @property
    def has_budget(self) -> bool:
        return self.characters_per_month is not None or self.spend_per_month is not None


LOW_FROM: Final = 80
"""Percent of a cap from which little is left."""


class Meter(models.Model):
    """How much of one measure one person, token or account has used in one period, and its cap: moved by conditional updates alone.

    The cap stands here so that taking is one statement; `plans.py` writes it anew whenever a limit changes. A period is a
    day (`2026-11-25`), a month (`2026-11`), or empty for what is given back. The next one begins with a row of its own.
    """

    key = models.CharField(_("key"), max_length=80, primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="meters")
    account = models.ForeignKey("voices.ProviderAccount", on_delete=models.CASCADE, null=True, related_name="meters")
    # As in the ledger: what a token has used stays known when the token is gone.
    token = models.ForeignKey(
        settings.API_TOKEN_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="+",
        verbose_name=_("API token"),
    )
    measure = models.CharField(_("measure"), max_length=12, choices=Measure.choices)
    period = models.CharField(_("period"), max_length=10, blank=True)
    used = models.BigIntegerField(_("used"), default=0)
    cap = models.BigIntegerField(_("limit"), null=True, help_text=_("Empty: no limit."))
    # Written by the database with each move; from `LOW_FROM` on, without a product that a large cap would overflow. The index holds
    # these few meters alone, and a move that does not cross the line leaves it untouched.
    is_low = models.GeneratedField(
        expression=models.ExpressionWrapper(
            Q(used__gt=0, used__gte=F("cap") - F("cap") / (100 // (100 - LOW_FROM))), output_field=models.BooleanField()
        ),
        output_field=models.BooleanField(null=True),
        db_persist=True,
    )

    class Meta:
        verbose_name = _("meter")
        verbose_name_plural = _("meters")
        indexes = [models.Index(fields=["period"], name="meter_low", condition=Q(is_low=True))]

    def __str__(self) -> str:
        return self.key


class QuotaWarning(models.Model):
    """That the owner of a meter has been told that so much of this limit is used."""

    meter = models.ForeignKey(Meter, on_delete=models.CASCADE, db_index=False, related_name="warnings")
    percent = models.PositiveSmallIntegerField(_("percent of the limit"))
    limit = models.BigIntegerField(_("limit"))
    at = models.DateTimeField(_("at"), default=timezone.now)

    class Meta:
        verbose_name = _("quota warning")
        verbose_name_plural = _("quota warnings")
        constraints = [models.UniqueConstraint(fields=["meter", "percent", "limit"], name="warned_once_of_a_limit")]

    def __str__(self) -> str:
        return f"{self.meter_id} {self.percent} %"


def today() -> date:
    """In the site's time zone: days and months of all meters begin at its midnight."""
    return timezone.localdate()


class LedgerEntry(models.Model):
    """One line of the books, never changed: what a row takes (hold), and once what becomes of it (settle, release).

    The amounts are differences: the sum over a person's or an account's entries is what is used, held included.
    """

    class Kind(models.TextChoices):
        HOLD = "hold", _("held")
        SETTLE = "settle", _("settled")
        RELEASE = "release", _("released")

    class Purpose(models.TextChoices):
        """PLACE and TRAINING of a voice, RECORDING a sample's file, SPEECH of a job, AUDIO its file."""

        PLACE = "place", _("voice place")
        TRAINING = "training", _("training")
        RECORDING = "recording", _("recording")
        SPEECH = "speech", _("speech")
        AUDIO = "audio", _("audio")

    at = models.DateTimeField(_("at"), default=timezone.now)
    day = models.DateField(
        _("day"), default=today, help_text=_("Of the hold, in the site's time zone: its settlement counts for it too.")
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    purpose = models.CharField(_("purpose"), max_length=10, choices=Purpose.choices)
    row = models.UUIDField(_("row"), help_text=_("The voice or the job that this belongs to."))
    hold = models.OneToOneField(
        "self",
        on_delete=models.PROTECT,
        null=True,
        related_name="closing",
        verbose_name=_("hold"),
        help_text=_("What this settles or releases, once."),
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("owner")
    )
    account = models.ForeignKey(
        "voices.ProviderAccount", on_delete=models.PROTECT, related_name="+", verbose_name=_("provider account")
    )
    provider = models.CharField(_("provider"), max_length=20)
    voice = models.UUIDField(_("voice"))
    # No constraint: the books keep the number of a token that is gone.
    token = models.ForeignKey(
        settings.API_TOKEN_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        related_name="+",
        verbose_name=_("API token"),
    )
    voices = models.SmallIntegerField(_("voices"), default=0)
    slots = models.SmallIntegerField(_("voice places"), default=0)
    trainings = models.IntegerField(_("trainings"), default=0)
    characters = models.BigIntegerField(_("characters"), default=0)
    jobs = models.SmallIntegerField(_("jobs in flight"), default=0)
    storage = models.BigIntegerField(_("bytes"), default=0)
    cost = models.BigIntegerField(_("cost, millionths of a yuan"), default=0)
    price = models.BigIntegerField(
        _("price at the time"),
        default=0,
        help_text=_("Millionths of a yuan, for one training or for 10 000 characters."),
    )
    milliseconds = models.BigIntegerField(_("audio, ms"), default=0)

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        indexes = [
            models.Index(fields=["row", "purpose"], name="ledger_row"),
            models.Index(fields=["owner", "day"], name="ledger_owner_day"),
            models.Index(fields=["account", "day"], name="ledger_account_day"),
            # Of a million lines nearly all are of speech, and an operator who looks for the others shall not wait.
            models.Index(fields=["purpose", "-id"], name="ledger_not_speech", condition=~Q(purpose="speech")),
        ]
        constraints = [
            models.CheckConstraint(
                name="only_a_hold_closes_nothing",
                condition=Q(kind="hold", hold__isnull=True) | (~Q(kind="hold") & Q(hold__isnull=False)),
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.get_purpose_display()}"


class LimitChange(models.Model):
    """Who changed which limit, when, from what to what. Never changed itself."""

    at = models.DateTimeField(_("at"), default=timezone.now)
    # What somebody changed of their own goes with them; of what they changed for others they cannot be taken away.
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.RESTRICT, null=True, related_name="+", verbose_name=_("by")
    )
    # Words and not keys, so that the line is whole when the plan or the account is gone.
    subject = models.CharField(_("of"), max_length=200)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+", verbose_name=_("user")
    )
    token = models.ForeignKey(
        settings.API_TOKEN_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="+",
        verbose_name=_("API token"),
        help_text=_("Whose budget it is; its owner sets it."),
    )
    limit = models.CharField(_("limit"), max_length=40)
    before = models.CharField(_("from"), max_length=60, blank=True)
    after = models.CharField(_("to"), max_length=60, blank=True)

    class Meta:
        verbose_name = _("change of a limit")
        verbose_name_plural = _("changes of limits")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.subject}: {self.limit} {self.before or '–'} → {self.after or '–'}"

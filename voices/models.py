"""How a voice comes to be, as rows."""

from __future__ import annotations

import secrets
import string
import uuid
from collections.abc import Callable
from typing import Any, TypeAlias

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from voices import webhooks
from voices.durable import DurableQuerySet, DurableRow, EventRow, QueueHeartbeat
from voices.encryption import EncryptedJSONField
from voices.findings import Finding
from voices.guarded import GuardedAccount
from voices.idempotency import IdempotencyKey
from voices.providers import registry
from voices.providers.base import Account, Provider, Traits, at_once
from voices.quota_models import Allowance, Budget, LedgerEntry, LimitChange, Measure, Meter, Plan, QuotaWarning
from voices.webhook_models import DeliveryEvent, WebhookDelivery, WebhookEndpoint, WebhookEvent

__all__ = [
    "Allowance",
    "Budget",
    "ConsentRecording",
    "DeliveryEvent",
    "Finding",
    "IdempotencyKey",
    "LedgerEntry",
    "LimitChange",
    "Measure",
    "Meter",
    "Plan",
    "ProviderAccount",
    "QueueHeartbeat",
    "QuotaWarning",
    "RateBucket",
    "SampleSource",
    "VoiceClone",
    "VoiceConsent",
    "VoiceEvent",
    "VoiceSample",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookEvent",
]

# The site's user model: this floor knows only that somebody owns a voice.
Owner: TypeAlias = Any

TAG_ALPHABET = string.ascii_lowercase + string.digits


def provider_choices() -> list[tuple[str, Any]]:
    return [(slug, registry.traits(slug).label) for slug in registry.slugs()]


def new_tag() -> str:
    """Our mark on a voice at the provider: `[a-z0-9]{9}`, the narrowest rule of the three (about 1 in 10^14)."""
    return "".join(secrets.choice(TAG_ALPHABET) for _ in range(9))


class ProviderAccount(GuardedAccount):
    """An account at a provider, with what it may use. Its credentials are encrypted at rest and shown nowhere."""

    class Origin(models.TextChoices):
        ENVIRONMENT = "environment", _("from the environment")
        SANDBOX = "sandbox", _("sandbox")
        ADMIN = "admin", _("added by an operator")

    provider = models.CharField(_("provider"), max_length=20, choices=provider_choices)
    name = models.CharField(_("name"), max_length=60)
    origin = models.CharField(_("origin"), max_length=20, choices=Origin.choices, default=Origin.ADMIN)
    credentials = EncryptedJSONField(_("credentials"), default=dict)
    endpoints = models.JSONField(_("base URLs"), default=dict)
    is_open = models.BooleanField(_("open"), default=True, help_text=_("Closed: no new voices; existing ones go on."))
    voice_cap = models.PositiveIntegerField(_("voice places"), default=0)
    voices_held = models.PositiveIntegerField(_("voice places taken"), default=0, editable=False)
    # A tenth below what the provider allows (rate.py).
    enrollment_rate = models.FloatField(_("enrollment calls a second"), default=1)
    synthesis_rate = models.FloatField(_("syntheses a second"), default=1)
    reconciled_at = models.DateTimeField(_("list last compared"), null=True, blank=True, editable=False)
    trainings_per_day = models.PositiveIntegerField(
        _("trainings a day"), null=True, blank=True, help_text=_("Empty: no limit.")
    )
    characters_per_day = models.PositiveBigIntegerField(
        _("characters a day"), null=True, blank=True, help_text=_("Empty: no limit.")
    )
    spend_per_day = models.DecimalField(
        _("CNY a day"),
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("Empty: no limit."),
    )
    character_price = models.DecimalField(
        _("CNY for 10 000 characters"),
        max_digits=10,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("Empty: as in the settings, or else the engine's list price."),
    )
    training_price = models.DecimalField(
        _("CNY for a training"),
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("Empty: as in the settings."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        verbose_name = _("provider account")
        verbose_name_plural = _("provider accounts")
        constraints = [models.UniqueConstraint(fields=["provider", "name"], name="one_account_per_provider_and_name")]

    def __str__(self) -> str:
        return f"{self.traits.label} · {self.name}"

    @property
    def traits(self) -> Traits:
        return registry.traits(self.provider)

    @property
    def is_sandbox(self) -> bool:
        return self.origin == self.Origin.SANDBOX

    def client(self, *, pace: Callable[[], None] = at_once) -> Provider:
        """`pace` is waited for before every call of an order but its first; what it raises ends the order."""
        account = Account(key=f"account-{self.pk}", credentials=self.credentials, endpoints=self.endpoints, pace=pace)
        return registry.build(self.provider, account)


class VoiceQuerySet(DurableQuerySet["VoiceClone"]):
    def owned_by(self, user: Owner) -> VoiceQuerySet:
        """A person's own voices, to change and delete; one that has been deleted is gone for them too."""
        return self.filter(owner=user).exclude(state=VoiceClone.State.DELETED)

    def visible_to(self, user: Owner) -> VoiceQuerySet:
        """What a person may look at and speak with: their own, and the stock voices that the operator offers."""
        return self.filter(Q(owner=user) | _offered()).exclude(state=VoiceClone.State.DELETED)

    def offered(self) -> VoiceQuerySet:
        """The stock voices that everybody may speak with now."""
        return self.filter(_offered())


def _offered() -> Q:
    # A stock voice has no owner, and it is the owner that the index goes by.
    stock = Q(owner__isnull=True, kind=VoiceClone.Kind.STOCK)
    return stock & Q(state=VoiceClone.State.SUCCESS, account__is_open=True)


class VoiceClone(DurableRow):
    """A voice that somebody has cloned, or is cloning, at one account of one provider."""

    class State(models.TextChoices):
        INIT = "Init", _("Waiting")
        TRAINING = "Training", _("Training")
        SUCCESS = "Success", _("Ready")
        FAILED = "Failed", _("Failed")
        UNKNOWN = "Unknown", _("Being checked")
        EXPIRED = "Expired", _("Expired")
        DELETING = "Deleting", _("Being deleted")
        DELETED = "Deleted", _("Deleted")

    class Kind(models.TextChoices):
        CLONED = "cloned", _("cloned")
        IMPORTED = "imported", _("imported")
        STOCK = "stock", _("stock voice")

    IN_PROGRESS = (State.INIT, State.TRAINING, State.UNKNOWN, State.DELETING)

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="voices",
        verbose_name=_("owner"),
        null=True,
        blank=True,
        help_text=_("Empty for a stock voice: it belongs to everybody."),
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.CLONED)
    account = models.ForeignKey(
        ProviderAccount, on_delete=models.PROTECT, related_name="voices", verbose_name=_("provider account")
    )
    provider = models.CharField(_("provider"), max_length=20, choices=provider_choices)
    remote_id = models.CharField(_("id at the provider"), max_length=200, blank=True)
    state = models.CharField(_("state"), max_length=20, choices=State.choices, default=State.INIT)
    provider_state = models.CharField(_("provider's state"), max_length=60, blank=True)
    demo_url = models.URLField(_("provider's demo"), max_length=1000, blank=True)
    name = models.CharField(_("name"), max_length=60)
    remote_name = models.CharField(_("name at the provider"), max_length=60, blank=True, editable=False)
    language = models.CharField(_("language of the sample"), max_length=20)
    model = models.CharField(_("model"), max_length=60)
    options = models.JSONField(_("enrollment options"), default=dict, blank=True)
    description = models.TextField(_("description"), blank=True, max_length=500)
    labels = models.JSONField(
        _("labels"), default=dict, blank=True, help_text=_("Names and values of its owner's own.")
    )
    usual_speed = models.FloatField(
        _("usual speed"), default=1.0, help_text=_("As a factor of the natural pace, where none is asked for.")
    )
    repeats_since = models.DateTimeField(
        _("answers exact repeats since"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Empty: every request is spoken. Audio from before this moment is never used."),
    )
    tag = models.CharField(_("our mark at the provider"), max_length=20, unique=True, default=new_tag, editable=False)
    looks = models.PositiveSmallIntegerField(_("looks for an unknown outcome"), default=0, editable=False)
    token = models.ForeignKey(
        settings.API_TOKEN_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("API token"),
    )
    holds_slot = models.BooleanField(_("holds a voice place"), default=False, editable=False)
    polled_at = models.DateTimeField(_("last asked"), null=True, blank=True, editable=False)
    ready_at = models.DateTimeField(_("ready since"), null=True, blank=True, editable=False)
    spoken_at = models.DateTimeField(_("last spoke"), null=True, blank=True, editable=False)

    objects = VoiceQuerySet.as_manager()

    class Meta:
        verbose_name = _("voice")
        verbose_name_plural = _("voices")
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["owner", "-created_at", "-id"], name="voice_owner_newest"),
            models.Index(fields=["-created_at", "-id"], name="voice_newest"),
            models.Index(fields=["state", "-created_at", "-id"], name="voice_state_newest"),
            models.Index(fields=["remote_id"], name="voice_remote_id", condition=~models.Q(remote_id="")),
            models.Index(
                fields=["provider_request_id"], name="voice_request_id", condition=~models.Q(provider_request_id="")
            ),
            # For how a name begins, in whatever order the database sorts words.
            models.Index(fields=["name"], name="voice_name_begins", opclasses=["varchar_pattern_ops"]),
            models.Index(
                fields=["account", "state", "due_at"],
                name="voice_account_due",
                condition=models.Q(due_at__isnull=False),
            ),
            models.Index(fields=["due_at"], name="voice_due", condition=models.Q(due_at__isnull=False)),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "remote_id"],
                name="one_row_per_remote_voice",
                condition=~models.Q(remote_id="") & ~models.Q(state="Deleted"),
            ),
            models.CheckConstraint(
                name="only_stock_voices_have_no_owner",
                condition=models.Q(owner__isnull=False) | models.Q(kind="stock"),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def traits(self) -> Traits:
        return registry.traits(self.provider)

    @property
    def is_stock(self) -> bool:
        return self.kind == self.Kind.STOCK

    @property
    def is_ready(self) -> bool:
        return self.state == self.State.SUCCESS

    @property
    def in_progress(self) -> bool:
        return self.state in self.IN_PROGRESS

    @property
    def answers_repeats(self) -> bool:
        """Whether a request for what it has said already is answered with the audio that was kept."""
        return self.repeats_since is not None

    @property
    def sample(self) -> VoiceSample | None:
        """The recording that the voice is, or is to be, trained from: the newest one."""
        return self.samples.order_by("-created_at", "-id").first()


def sample_path(sample: VoiceSample, filename: str) -> str:
    """Random and ASCII: a name that was uploaded never becomes part of a path."""
    return f"samples/{sample.voice_id}/{secrets.token_hex(16)}.{filename.rsplit('.', 1)[-1]}"


CONTENT_TYPES = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "webm": "audio/webm",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
    "aac": "audio/aac",
}


class VoiceSample(models.Model):
    """A recording: the original as it came, and what was made of it for the provider."""

    voice = models.ForeignKey(VoiceClone, on_delete=models.PROTECT, related_name="samples", verbose_name=_("voice"))
    original = models.FileField(_("original"), upload_to=sample_path, max_length=200)
    prepared = models.FileField(_("as handed to the provider"), upload_to=sample_path, max_length=200)
    filename = models.CharField(_("file name"), max_length=200, blank=True)
    size = models.PositiveIntegerField(_("bytes"))
    sha256 = models.CharField("SHA-256", max_length=64)
    container = models.CharField(_("format"), max_length=20)
    seconds = models.FloatField(_("seconds"))
    sample_rate = models.PositiveIntegerField(_("sample rate, Hz"))
    channels = models.PositiveSmallIntegerField(_("channels"))
    reading_id = models.CharField(_("text read aloud, id"), max_length=40, blank=True)
    reading_text = models.TextField(_("text read aloud"), blank=True)
    measurements = models.JSONField(_("measurements"), default=dict)
    findings = models.JSONField(_("findings"), default=list)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    erased_at = models.DateTimeField(_("erased"), null=True, blank=True)

    class Meta:
        verbose_name = _("sample")
        verbose_name_plural = _("samples")

    def __str__(self) -> str:
        return self.filename or f"{self.seconds:.1f} s"

    @property
    def content_type(self) -> str:
        """Of the original, for an HTTP answer."""
        return CONTENT_TYPES[self.container]


def consent_path(recording: ConsentRecording, filename: str) -> str:
    return f"consents/{recording.owner_id}/{secrets.token_hex(16)}.{filename.rsplit('.', 1)[-1]}"


class ConsentRecordingQuerySet(models.QuerySet["ConsentRecording"]):
    def of(self, owner: Owner) -> ConsentRecordingQuerySet:
        return self.filter(owner=owner, deleted_at__isnull=True)


class ConsentRecording(models.Model):
    """A speaker saying that they agree, handed in before the voice is made. Its file stays when it has become evidence."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="consent_recordings", verbose_name=_("owner")
    )
    name = models.CharField(_("name"), max_length=60)
    language = models.CharField(_("language"), max_length=35)
    audio = models.FileField(_("recording"), upload_to=consent_path, max_length=200)
    sha256 = models.CharField("SHA-256", max_length=64)
    seconds = models.FloatField(_("seconds"))
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ConsentRecordingQuerySet.as_manager()

    class Meta:
        verbose_name = _("consent recording")
        verbose_name_plural = _("consent recordings")
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["owner", "-created_at", "-id"], name="consent_owner_newest")]

    def __str__(self) -> str:
        return self.name


class SampleSource(models.Model):
    """Where a recording is still to be fetched from. The address may hold a key, so it is encrypted, and gone with the fetching."""

    voice = models.OneToOneField(VoiceClone, on_delete=models.CASCADE, related_name="source")
    url = EncryptedJSONField(editable=False)
    reading_id = models.CharField(max_length=40, blank=True)
    reading_text = models.TextField(blank=True)

    class Meta:
        verbose_name = _("address of a recording")
        verbose_name_plural = _("addresses of recordings")

    def __str__(self) -> str:
        return f"source of {self.voice_id}"


class VoiceConsent(models.Model):
    """Who accepted which statement, as shown, when and from where. Kept when the voice is deleted: it is evidence."""

    class Channel(models.TextChoices):
        PAGE = "page", _("page")
        API = "api", _("API")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="voice_consents", verbose_name=_("user")
    )
    voice = models.ForeignKey(VoiceClone, on_delete=models.PROTECT, related_name="consents", verbose_name=_("voice"))
    sample = models.ForeignKey(
        VoiceSample,
        on_delete=models.PROTECT,
        related_name="consents",
        verbose_name=_("sample"),
        null=True,
        help_text=_("Empty for a voice that was trained elsewhere, or whose recording is still to be fetched."),
    )
    recording = models.ForeignKey(
        ConsentRecording,
        on_delete=models.PROTECT,
        related_name="consents",
        null=True,
        verbose_name=_("spoken consent"),
        help_text=_("Where the speaker was recorded saying it."),
    )
    statement = models.TextField(_("statement as shown"))
    version = models.CharField(_("version"), max_length=20)
    language = models.CharField(_("language"), max_length=10)
    channel = models.CharField(_("by way of"), max_length=10, choices=Channel.choices)
    address = models.GenericIPAddressField(_("address"), null=True, blank=True)
    user_agent = models.CharField(_("program"), max_length=300, blank=True)
    accepted_at = models.DateTimeField(_("accepted at"), auto_now_add=True)

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")

    def __str__(self) -> str:
        return f"{self.user} · {self.accepted_at:%Y-%m-%d %H:%M}"


class VoiceEvent(EventRow):
    row = models.ForeignKey(VoiceClone, on_delete=models.CASCADE, related_name="events", verbose_name=_("voice"))

    class Meta:
        ordering = ["at", "id"]
        verbose_name = _("voice event")
        verbose_name_plural = _("voice events")

    def __str__(self) -> str:
        return self.kind

    NEWS = {
        VoiceClone.State.SUCCESS: WebhookEvent.VOICE_READY,
        VoiceClone.State.FAILED: WebhookEvent.VOICE_FAILED,
        VoiceClone.State.EXPIRED: WebhookEvent.VOICE_FAILED,
    }

    def announce(self) -> None:
        news = self.NEWS.get(VoiceClone.State(self.to_state)) if self.to_state != self.from_state else None
        if news is not None and self.row.owner_id is not None:
            webhooks.emit(self.row.owner_id, news, lambda: told_of_voice(VoiceClone.objects.get(pk=self.row_id)))


def told_of_voice(voice: VoiceClone) -> dict[str, Any]:
    """What a message says of a voice, by the names of the API."""
    return {
        "id": str(voice.pk),
        "name": voice.name,
        "state": voice.state,
        "provider": voice.provider,
        "model": voice.model,
        "error": webhooks.told_of_error(voice),
    }


class RateBucket(models.Model):
    """When the next call of one kind may leave for one provider account; `rate.py` moves it by one statement."""

    key = models.CharField(_("account and operation"), max_length=80, primary_key=True)
    next_at = models.FloatField(_("next call from"), help_text=_("Seconds since 1970."))
    held_until = models.FloatField(_("held back until"), default=0, help_text=_("The provider asked for a pause."))

    class Meta:
        verbose_name = _("rate bucket")
        verbose_name_plural = _("rate buckets")

    def __str__(self) -> str:
        return self.key

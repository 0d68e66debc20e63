"""What the API takes and gives about voices. Shape only; limits come from Traits, rules from the services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from voices import book, failures
from voices.durable import DurableRow
from voices.errors import InvalidInput
from voices.models import VoiceClone, VoiceEvent, VoiceSample, provider_choices
from voices.narration import findings, what_happened

Body = TypeVar("Body", bound=serializers.Serializer[Any])


def checked(serializer: type[Body], data: Any) -> dict[str, Any]:
    """What was sent, in its own types. Raises ValidationError naming every wrong field."""
    body = serializer(data=data)
    body.is_valid(raise_exception=True)
    given: dict[str, Any] = body.validated_data
    return given


@contextmanager
def naming_fields(serializer: type[serializers.Serializer[Any]]) -> Iterator[None]:
    """A service names a provider's parameter by itself; in a body it stands beneath `parameters`, and so does its error."""
    own = serializer().fields
    try:
        yield
    except InvalidInput as wrong:
        wrong.fields = {name if name in own else f"parameters.{name}": words for name, words in wrong.fields.items()}
        raise


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses what it does not know: a misspelt field that is silently ignored costs its user an hour."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = [str(name) for name in data if name not in self.fields] if isinstance(data, Mapping) else []
        wrong: dict[str, Any] = {name: [_("There is no such field here. Leave it out.")] for name in unknown}
        try:
            given = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if not isinstance(error.detail, dict):
                raise
            raise serializers.ValidationError({**error.detail, **wrong}) from None
        if wrong:
            raise serializers.ValidationError(wrong)
        return given


class ParametersField(serializers.JSONField):
    """A provider's parameters by name; in a form, as JSON text."""

    default_error_messages = {"not_an_object": _("Give a JSON object: parameter names and their values.")}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        try:
            value = super().to_internal_value(data)
        except RecursionError:
            self.fail("invalid")
        if not isinstance(value, dict):
            self.fail("not_an_object")
        return dict(value)


# --- what is sent to us ----------------------------------------------------------------------------------------------


class ProviderField(serializers.ChoiceField):
    """One of those that are registered when it is asked."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=provider_choices(), **kwargs)


class VoiceOrderSerializer(StrictSerializer):
    """What a voice is ordered with, whichever way its recording comes."""

    name = serializers.CharField(help_text="What you call the voice; 1 to 60 characters.")
    consent = serializers.BooleanField(
        default=False,
        help_text="true: you accept the statement in `GET /providers`. Without it no recording is taken.",
    )
    provider = ProviderField(required=False, help_text="Default: the first provider with an open account.")
    model = serializers.CharField(
        required=False, help_text="The voice is bound to it. Default: the provider's `default_model`."
    )
    language = serializers.CharField(
        required=False, help_text="Spoken in the recording. Default: the first of the model's `languages`."
    )
    parameters = ParametersField(
        required=False, help_text="A JSON object with the model's enrollment parameters by name."
    )
    reading = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        help_text="Where the provider `needs_reading_text`: the id of the text that is read aloud in the recording.",
    )


class NewVoiceSerializer(VoiceOrderSerializer):
    sample = serializers.FileField(
        allow_empty_file=True,
        help_text="The recording: WAV, MP3, M4A, WebM, OGG or FLAC. `GET /providers` says how long and how large.",
    )


class NewVoiceFromUrlSerializer(VoiceOrderSerializer):
    sample_url = serializers.CharField(
        max_length=2000,
        help_text=(
            "Where the recording is fetched from, within a minute: an http or https address on the public internet. What is "
            "wrong with it shows in the voice, which then fails."
        ),
    )


class ImportSerializer(StrictSerializer):
    name = serializers.CharField(help_text="What you call the voice; 1 to 60 characters.")
    provider = ProviderField(help_text="Where it was trained.")
    remote_id = serializers.CharField(help_text="Its id there.")
    model = serializers.CharField(
        required=False, help_text="The model it was trained with. Default: the provider's `default_model`."
    )
    language = serializers.CharField(
        required=False, help_text="Of the recording. Default: the first of the model's `languages`."
    )
    consent = serializers.BooleanField(
        default=False,
        help_text="true: you accept the statement in `GET /providers`. Without it no voice is taken over.",
    )


class ChangedVoiceSerializer(StrictSerializer):
    name = serializers.CharField(required=False, help_text="1 to 60 characters.")
    answers_repeats = serializers.BooleanField(
        required=False,
        help_text="true: what it says from now on answers exact repeats, at no cost. false: every request is spoken anew.",
    )

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if not given:
            raise serializers.ValidationError(
                {"name": [_("Say what is to be changed: the name, or `answers_repeats`.")]}
            )
        return given


class RetrainSerializer(StrictSerializer):
    sample = serializers.FileField(
        required=False, allow_empty_file=True, help_text="A new recording. Absent: the one the voice has."
    )
    consent = serializers.BooleanField(default=False, help_text="Needed with a new recording.")
    reading = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        help_text="With a new recording, where the provider `needs_reading_text`: the id of the text that is read aloud in it.",
    )


class VoiceFilterSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=VoiceClone.Kind.choices, required=False)
    state = serializers.ChoiceField(choices=VoiceClone.State.choices, required=False)
    provider = ProviderField(required=False)
    language = serializers.CharField(required=False, help_text=_("As the voice has it, such as zh."))
    q = serializers.CharField(required=False, allow_blank=True, help_text=_("Part of the name."))


# --- what we answer --------------------------------------------------------------------------------------------------


class KeptErrorSerializer(serializers.Serializer[DurableRow]):
    """What went wrong with a row, as in the error of a request."""

    code = serializers.CharField(source="error_code")
    message = serializers.SerializerMethodField(help_text="For people, in your language; says what to do next.")
    action = serializers.CharField(source="error_action", help_text="Who must act: user, operator, provider or nobody.")
    provider_code = serializers.CharField(source="error_provider_code")
    provider_request_id = serializers.CharField()
    help_url = serializers.SerializerMethodField(help_text="Explains the provider's code; empty without one.")

    def get_message(self, row: DurableRow) -> str:
        return failures.shown(row.error_sentence)

    def get_help_url(self, row: DurableRow) -> str:
        code = row.error_provider_code
        return f"{settings.PUBLIC_BASE_URL}{book.help_url(code, book.entry_of(row))}" if code else ""


@extend_schema_field(KeptErrorSerializer(allow_null=True))
class ErrorOfRowField(serializers.Field[Any, Any, Any, Any]):
    """null while nothing is wrong."""

    def __init__(self) -> None:
        super().__init__(source="*", read_only=True)

    def to_representation(self, row: DurableRow) -> dict[str, Any] | None:
        return KeptErrorSerializer(row).data if row.error_code else None


class SampleSerializer(serializers.ModelSerializer[VoiceSample]):
    bytes = serializers.IntegerField(source="size")
    format = serializers.CharField(source="container")
    findings = serializers.SerializerMethodField(help_text="What was noticed about the recording, in words.")

    class Meta:
        model = VoiceSample
        fields = [
            "reading_text",
            "filename",
            "format",
            "bytes",
            "sha256",
            "seconds",
            "sample_rate",
            "channels",
            "findings",
            "created_at",
        ]

    def get_findings(self, sample: VoiceSample) -> list[str]:
        return [str(finding.sentence) for finding in findings(sample)]


class VoiceSerializer(serializers.ModelSerializer[VoiceClone]):
    demo_url = serializers.CharField(help_text="The provider's own demo; empty where there is none.")
    parameters = serializers.JSONField(source="options", help_text="Enrollment parameters that were given.")
    answers_repeats = serializers.BooleanField(
        help_text="Whether exact repeats are answered with the audio that was kept."
    )
    sample = serializers.SerializerMethodField()
    error = ErrorOfRowField()
    url = serializers.SerializerMethodField()

    class Meta:
        model = VoiceClone
        fields = [
            "id",
            "url",
            "name",
            "kind",
            "state",
            "provider",
            "model",
            "language",
            "parameters",
            "answers_repeats",
            "remote_id",
            "provider_state",
            "provider_request_id",
            "demo_url",
            "error",
            "sample",
            "created_at",
            "updated_at",
            "ready_at",
            "spoken_at",
        ]
        read_only_fields = fields

    @extend_schema_field(SampleSerializer(allow_null=True))
    def get_sample(self, voice: VoiceClone) -> Any:
        newest = max(voice.samples.all(), key=lambda sample: (sample.created_at, sample.pk), default=None)
        return SampleSerializer(newest).data if newest else None

    @extend_schema_field(OpenApiTypes.URI)
    def get_url(self, voice: VoiceClone) -> str:
        return reverse("api_voice", args=[voice.pk], request=self.context["request"])


class VoiceEventSerializer(serializers.ModelSerializer[VoiceEvent]):
    message = serializers.SerializerMethodField(help_text="For people, in your language.")

    class Meta:
        model = VoiceEvent
        fields = ["at", "kind", "message", "from_state", "to_state", "detail"]

    def get_message(self, event: VoiceEvent) -> str:
        return str(what_happened(event))


class ChoiceSerializer(serializers.Serializer[Any]):
    value = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]


class ParameterSerializer(serializers.Serializer[Any]):
    """One thing that can be turned, with its range in the provider's own units."""

    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=["integer", "number", "boolean", "text", "choice"])
    label = serializers.CharField()  # type: ignore[assignment]
    help = serializers.CharField()
    default = serializers.JSONField(help_text="null: none.")
    minimum = serializers.FloatField(allow_null=True)
    maximum = serializers.FloatField(allow_null=True)
    step = serializers.FloatField(allow_null=True)
    max_length = serializers.IntegerField(allow_null=True)
    choices = ChoiceSerializer(many=True)


class VoiceModelSerializer(serializers.Serializer[Any]):
    """An engine of the provider: what it hears, speaks and takes."""

    slug = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    languages = ChoiceSerializer(many=True)
    formats = serializers.ListField(child=serializers.CharField())
    price = serializers.FloatField(help_text="CNY per 10 000 counted characters.")
    enrollment_parameters = ParameterSerializer(many=True)
    speech_parameters = ParameterSerializer(many=True)


class SampleRulesSerializer(serializers.Serializer[Any]):
    """What a recording must be."""

    min_seconds = serializers.FloatField()
    max_seconds = serializers.FloatField()
    advised_seconds = serializers.ListField(child=serializers.FloatField(), min_length=2, max_length=2)
    min_speech_seconds = serializers.FloatField()
    min_sample_rate = serializers.IntegerField(help_text="Hz")
    max_bytes = serializers.SerializerMethodField(help_text="Of the file that you send.")

    def get_max_bytes(self, _rules: Any) -> int:
        return int(settings.MAX_SAMPLE_BYTES)


class ProviderSerializer(serializers.Serializer[Any]):
    slug = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    open = serializers.BooleanField(help_text="Whether new voices can be made there now.")
    sandbox = serializers.BooleanField(help_text="Whether a sandbox answers in the provider's place.")
    default_model = serializers.CharField()
    models = VoiceModelSerializer(many=True)
    sample = SampleRulesSerializer()
    needs_reading_text = serializers.BooleanField(
        help_text="Whether a recording must be a reading of one of `GET /providers/{slug}/reading-texts`."
    )
    notes = serializers.ListField(
        child=serializers.CharField(), help_text="For people: what should be known before a voice is made there."
    )
    formats = serializers.ListField(child=serializers.CharField())
    default_format = serializers.CharField()
    sample_rates = serializers.ListField(child=serializers.IntegerField(), help_text="Hz")
    default_sample_rate = serializers.IntegerField(help_text="Hz")
    max_characters = serializers.IntegerField(
        help_text="In one request to the provider, as it counts them; where it speaks pcm, longer texts are spoken in pieces."
    )
    speech_is_experimental = serializers.BooleanField(
        help_text="Whether speech here rests on what the provider has not promised: `notes` says what to expect."
    )
    can = serializers.DictField(child=serializers.BooleanField())


class ReadingTextSerializer(serializers.Serializer[Any]):
    """A text to read aloud for a recording, word for word."""

    id = serializers.CharField(help_text="For `reading`, when the voice is made.")
    text = serializers.CharField()


class ReadingTextsSerializer(serializers.Serializer[Any]):
    texts = ReadingTextSerializer(many=True)


class ConsentStatementSerializer(serializers.Serializer[Any]):
    """What `consent=true` accepts."""

    statement = serializers.CharField()
    version = serializers.CharField()


class ProvidersSerializer(serializers.Serializer[Any]):
    providers = ProviderSerializer(many=True)
    consent = ConsentStatementSerializer()

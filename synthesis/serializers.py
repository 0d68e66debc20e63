"""What the API takes and gives about speech. Shape only; limits come from Traits, rules from the services."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from synthesis import audio
from synthesis.job_services import MOST_TEXTS
from synthesis.models import SynthesisJob
from voices.serializers import ErrorOfRowField, ParametersField, StrictSerializer


class SpeechSerializer(StrictSerializer):
    voice = serializers.CharField(help_text="Id of one of your voices.")
    text = serializers.CharField(
        allow_blank=True,
        trim_whitespace=False,
        help_text="Up to 100 000 characters as the provider counts them, spoken in pieces where it takes less at once.",
    )
    format = serializers.CharField(
        required=False,
        help_text="One of the model's `formats`, or mp3, wav, pcm, opus, flac, aac, mulaw or alaw. Default: `default_format`.",
    )
    sample_rate = serializers.IntegerField(
        required=False,
        min_value=1,
        help_text="Hz, as the format has it. Default: `default_sample_rate`, or the format's own.",
    )
    parameters = ParametersField(
        required=False, help_text="The model's `speech_parameters` by name, such as rate, pitch and volume."
    )


class NewJobSerializer(SpeechSerializer):
    text = serializers.CharField(
        allow_blank=True,
        trim_whitespace=False,
        help_text="Up to 100 000 characters as the provider counts them; it is spoken in pieces and joined.",
    )
    format = serializers.CharField(
        required=False,
        help_text="One of the model's `formats`, or mp3, wav, opus, flac or aac. Default: `default_format`.",
    )
    sample_rate = serializers.IntegerField(
        required=False,
        min_value=1,
        help_text="Hz, one of the provider's `sample_rates`. Default: `default_sample_rate`.",
    )
    word_times = serializers.BooleanField(
        default=False, help_text="Ask for the time of each word, for subtitles, where the model can tell."
    )


class BatchSerializer(NewJobSerializer):
    text = None  # type: ignore[assignment]
    texts = serializers.ListField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False),
        allow_empty=False,
        max_length=MOST_TEXTS,
        help_text="Up to 100 texts, each a job of its own.",
    )


class JobFilterSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=SynthesisJob.State.choices, required=False)
    voice = serializers.UUIDField(required=False)
    batch = serializers.UUIDField(required=False)


class UsageFilterSerializer(serializers.Serializer[Any]):
    days = serializers.IntegerField(
        min_value=1, max_value=366, default=30, help_text=_("How many days back, today included.")
    )


class AudioSerializer(serializers.Serializer[SynthesisJob]):
    url = serializers.SerializerMethodField()
    content_type = serializers.SerializerMethodField()
    bytes = serializers.IntegerField(source="audio_bytes")

    @extend_schema_field(OpenApiTypes.URI)
    def get_url(self, job: SynthesisJob) -> str:
        return reverse("api_job_audio", args=[job.pk], request=self.context["request"])

    def get_content_type(self, job: SynthesisJob) -> str:
        return audio.content_type(job.audio_format)


class JobSummarySerializer(serializers.ModelSerializer[SynthesisJob]):
    url = serializers.SerializerMethodField()
    voice = serializers.UUIDField(source="voice_id")
    voice_name = serializers.CharField(source="voice.name")
    excerpt = serializers.CharField(help_text="How the text begins.")
    format = serializers.CharField(source="audio_format")
    characters = serializers.IntegerField(help_text="As the provider counted them: what it bills.")
    first_audio_ms = serializers.IntegerField(allow_null=True, help_text="From our request to the first audio.")
    progress = serializers.FloatField(help_text="0 to 1.")
    batch = serializers.UUIDField(allow_null=True)
    repeat_of = serializers.UUIDField(
        source="repeat_of_id",
        allow_null=True,
        help_text="The job whose kept audio this one was answered with, for nothing; null: it was spoken.",
    )
    audio = serializers.SerializerMethodField(help_text="null until it has been spoken to its end.")
    error = ErrorOfRowField()

    class Meta:
        model = SynthesisJob
        fields = [
            "id",
            "url",
            "state",
            "progress",
            "mode",
            "batch",
            "voice",
            "voice_name",
            "provider",
            "model",
            "excerpt",
            "format",
            "sample_rate",
            "characters_expected",
            "characters",
            "seconds",
            "first_audio_ms",
            "repeat_of",
            "audio",
            "error",
            "provider_request_id",
            "created_at",
            "started_at",
            "finished_at",
        ]
        read_only_fields = fields

    @extend_schema_field(OpenApiTypes.URI)
    def get_url(self, job: SynthesisJob) -> str:
        return reverse("api_job", args=[job.pk], request=self.context["request"])

    @extend_schema_field(AudioSerializer(allow_null=True))
    def get_audio(self, job: SynthesisJob) -> Any:
        return AudioSerializer(job, context=self.context).data if job.has_audio else None


class PhonemeSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    tone = serializers.IntegerField(help_text="1 to 5; 0 for none.")
    begin_ms = serializers.IntegerField()
    end_ms = serializers.IntegerField()


class MarkSerializer(serializers.Serializer[Any]):
    text = serializers.CharField()
    begin_ms = serializers.IntegerField()
    end_ms = serializers.IntegerField()
    syllable = serializers.CharField(
        default="", help_text="How it is pronounced, such as tian1; where the provider tells."
    )
    phonemes = PhonemeSerializer(many=True, default=list, help_text="Its single sounds, where the provider tells them.")


class JobSerializer(JobSummarySerializer):
    parameters = serializers.JSONField(source="options")
    marks = MarkSerializer(
        many=True, help_text="When each word or character is spoken, where a parameter asked for it."
    )

    class Meta(JobSummarySerializer.Meta):
        fields = [name for name in JobSummarySerializer.Meta.fields if name != "excerpt"] + [
            "text",
            "parameters",
            "marks",
        ]
        read_only_fields = fields


class CreatedBatchSerializer(serializers.Serializer[Any]):
    batch = serializers.UUIDField(help_text="For `GET /jobs?batch=`.")
    jobs = JobSerializer(many=True, help_text="In the order of the texts.")


class StretchSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(help_text="With the signs that follow it.")
    begin = serializers.IntegerField(help_text="Place in the job's text, in characters.")
    end = serializers.IntegerField()
    begin_ms = serializers.IntegerField()
    end_ms = serializers.IntegerField()


class AlignmentSerializer(serializers.Serializer[Any]):
    text = serializers.CharField()
    stretches = StretchSerializer(many=True)


class UsedSerializer(serializers.Serializer[Any]):
    jobs = serializers.IntegerField()
    characters = serializers.IntegerField(help_text="As the provider counted them: what it bills.")
    seconds = serializers.FloatField(help_text="Of audio that was kept.")
    trainings = serializers.IntegerField()
    cost = serializers.DecimalField(max_digits=20, decimal_places=6, help_text="CNY, at the prices of the time.")


class UsageOfDaySerializer(UsedSerializer):
    day = serializers.DateField()
    provider = serializers.CharField()


class UsageOfVoiceSerializer(UsedSerializer):
    voice = serializers.UUIDField()
    name = serializers.CharField(help_text="Also of a voice that has been deleted.")


class UsageOfTokenSerializer(UsedSerializer):
    token = serializers.CharField(allow_null=True, help_text="The token's name; null: with a browser.")


class UsageOfProviderSerializer(UsedSerializer):
    provider = serializers.CharField()


class UsageSerializer(UsedSerializer):
    since = serializers.DateField()
    days = UsageOfDaySerializer(many=True)
    voices = UsageOfVoiceSerializer(many=True)
    tokens = UsageOfTokenSerializer(many=True)
    providers = UsageOfProviderSerializer(many=True)

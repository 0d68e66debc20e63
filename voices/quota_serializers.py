"""What the API takes and gives about limits. Shape only; the rules are in `plans.py`."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from voices import plans, standing
from voices.models import Allowance, Measure, Plan, ProviderAccount
from voices.pricing import plain
from voices.serializers import StrictSerializer
from voices.standing import Reading

LIMIT_HELP = "null: no limit."
OWN_LIMIT_HELP = "null: as in the plan."


class MeterSerializer(serializers.Serializer[Reading]):
    measure = serializers.ChoiceField(choices=Measure.choices)
    used = serializers.SerializerMethodField(
        help_text="What is held for work under way included. Storage in bytes, cost in CNY."
    )
    limit = serializers.SerializerMethodField(help_text=LIMIT_HELP)
    left = serializers.SerializerMethodField(help_text=LIMIT_HELP)
    resets_at = serializers.DateTimeField(allow_null=True, help_text="null: what only deleting or ending gives back.")

    def get_used(self, reading: Reading) -> float:
        return plain(reading.measure, reading.used)

    def get_limit(self, reading: Reading) -> float | None:
        return None if reading.limit is None else plain(reading.measure, reading.limit)

    def get_left(self, reading: Reading) -> float | None:
        return None if reading.left is None else plain(reading.measure, reading.left)


class QuotaSerializer(serializers.Serializer[Any]):
    plan = serializers.CharField()
    meters = MeterSerializer(many=True)
    token = MeterSerializer(
        many=True, allow_null=True, help_text="Of the token that asks, this month; null for a browser."
    )


class EmailSerializer(StrictSerializer):
    email = serializers.CharField(help_text=_("The whole address."))


class PersonSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    email = serializers.CharField()


class LimitsSerializer(StrictSerializer):
    plan = serializers.PrimaryKeyRelatedField(
        queryset=Plan.objects.all(), allow_null=True, required=False, help_text="Id; null: the default plan."
    )

    def get_fields(self) -> dict[str, Any]:
        return super().get_fields() | {
            name: serializers.IntegerField(
                min_value=0, max_value=2**62, allow_null=True, required=False, help_text=OWN_LIMIT_HELP
            )
            for name in plans.USER_LIMITS
        }


class PersonLimitsSerializer(serializers.ModelSerializer[Allowance]):
    user = PersonSerializer()
    meters = serializers.SerializerMethodField()

    class Meta:
        model = Allowance
        fields = ["user", "plan", *plans.USER_LIMITS, "meters"]

    @extend_schema_field(MeterSerializer(many=True))
    def get_meters(self, allowance: Allowance) -> Any:
        return [MeterSerializer(reading).data for reading in standing.of_person(allowance.user)]


class PlanSerializer(serializers.ModelSerializer[Plan]):
    class Meta:
        model = Plan
        fields = ["id", "name", "is_default", *plans.USER_LIMITS]
        # That there is one default alone is kept by `plans.change_plan`, which takes it from the other.
        extra_kwargs: ClassVar[dict[str, Any]] = {"is_default": {"validators": []}}


class AccountLimitsSerializer(serializers.ModelSerializer[ProviderAccount]):
    # Whoever shows accounts gives their `readings` as context: `standing.of_accounts` reads those of all of them at once.
    meters = serializers.SerializerMethodField(help_text="Of today.")

    class Meta:
        model = ProviderAccount
        fields = ["id", "provider", "name", "is_open", *plans.ACCOUNT_LIMITS, *plans.ACCOUNT_PRICES, "meters"]
        read_only_fields = ["id", "provider", "name", "is_open"]

    @extend_schema_field(MeterSerializer(many=True))
    def get_meters(self, account: ProviderAccount) -> Any:
        return MeterSerializer(self.context["readings"][account.pk], many=True).data

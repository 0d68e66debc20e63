"""Plans and limits for operators; ledger, meters and the audit of limits to look at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from voices import plans
from voices.evidence import EvidenceAdmin
from voices.models import Allowance, LedgerEntry, LimitChange, Meter, Plan


class PlanForm(ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Plan
        fields = ["name", "is_default", *plans.USER_LIMITS]

    def clean_is_default(self) -> bool:
        wanted = bool(self.cleaned_data["is_default"])
        if self.instance.is_default and not wanted:
            raise ValidationError(_("Somebody must stay on a plan: make another one the default."))
        return wanted

    def validate_constraints(self) -> None:
        """That there is one default alone is kept by `plans.change_plan`, which takes it from the other."""


@admin.register(Plan)
class PlanAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = PlanForm
    list_display = ["name", "is_default", *plans.USER_LIMITS]

    def save_model(self, request: HttpRequest, obj: Plan, form: Any, change: bool) -> None:
        stored = Plan.objects.get(pk=obj.pk) if change else Plan()
        obj.pk = plans.change_plan(stored, by=request.user, **form.cleaned_data).pk

    def has_delete_permission(self, request: HttpRequest, obj: Plan | None = None) -> bool:
        return (obj is None or not obj.is_default) and super().has_delete_permission(request, obj)


@admin.register(Allowance)
class AllowanceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["user", "plan", *plans.USER_LIMITS]
    list_select_related = ["user", "plan"]
    list_filter = ["plan"]
    search_fields = ["user__email"]
    autocomplete_fields = ["user"]
    fields = ["user", "plan", *plans.USER_LIMITS]

    def get_readonly_fields(self, request: HttpRequest, obj: Allowance | None = None) -> list[str]:
        return ["user"] if obj else []

    def save_model(self, request: HttpRequest, obj: Allowance, form: Any, change: bool) -> None:
        wanted = {name: form.cleaned_data[name] for name in ("plan", *plans.USER_LIMITS)}
        obj.pk = plans.change_allowance(obj.user, by=request.user, **wanted).pk

    def has_delete_permission(self, request: HttpRequest, obj: Allowance | None = None) -> bool:
        """Emptying it does the same, and is kept in the audit."""
        return False


@admin.register(Meter)
class MeterAdmin(EvidenceAdmin):
    list_display = ["key", "used", "cap"]
    list_filter = ["measure"]
    search_fields = ["=key", "user__email"]
    fields = ["key", "measure", "period", "used", "cap"]


@admin.register(LedgerEntry)
class LedgerEntryAdmin(EvidenceAdmin):
    list_display = ["at", "kind", "purpose", "owner", "account", "characters", "trainings", "cost", "storage"]
    list_select_related = ["owner", "account"]
    list_filter = ["kind", "purpose", "day", "account"]
    search_fields = ["=row", "=voice", "owner__email"]
    search_help_text = _("Id of the job or the voice, or how the owner's e-mail address begins")
    ordering = ["-id"]
    csv_columns = [
        *[
            "id",
            "at",
            "day",
            "kind",
            "purpose",
            "row",
            "hold",
            "owner__email",
            "account__name",
            "provider",
            "voice",
            "token",
        ],
        *["voices", "slots", "trainings", "characters", "jobs", "storage", "cost", "price", "milliseconds"],
    ]
    fields = [
        *["at", "day", "kind", "purpose", "row", "hold", "owner", "account", "provider", "voice", "token"],
        *["voices", "slots", "trainings", "characters", "jobs", "storage", "cost", "price", "milliseconds"],
    ]


@admin.register(LimitChange)
class LimitChangeAdmin(EvidenceAdmin):
    list_display = ["at", "by", "subject", "limit", "before", "after"]
    list_select_related = ["by"]
    search_fields = ["subject", "limit", "by__email"]
    fields = ["at", "by", "subject", "limit", "before", "after"]

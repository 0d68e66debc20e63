"""People and tokens for operators; and what the admin must not offer."""

from __future__ import annotations

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django_q.models import Failure, OrmQ, Schedule, Success

from voiceclone_site.accounts import services
from voiceclone_site.accounts.models import ApiToken, User
from voices import plans, pricing, standing
from voices.models import Measure

# One door with one set of rate limits: who is not logged in is sent to the site's own log-in page.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

# A Schedule names any function, and "resubmit" runs any task again: staff could run code through them (django-q2 1.11.1).
for queue_model in (Failure, OrmQ, Schedule, Success):
    admin.site.unregister(queue_model)


class NewUserForm(AdminUserCreationForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ("email",)


class ChangedUserForm(UserChangeForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = "__all__"


@admin.register(User)
class PersonAdmin(UserAdmin):  # type: ignore[type-arg]
    form = ChangedUserForm
    add_form = NewUserForm
    list_display = ["email", "display_name", "is_active", "is_staff", "date_joined", "last_login"]
    list_filter = ["is_active", "is_staff", "is_superuser"]
    search_fields = ["email", "display_name"]
    ordering = ["email"]
    fieldsets = [
        (None, {"fields": ["email", "password"]}),
        (_("Person"), {"fields": ["display_name", "language"]}),
        (_("What they may do"), {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        (_("Dates"), {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [(None, {"fields": ["email", "usable_password", "password1", "password2"]})]
    readonly_fields = ["last_login", "date_joined"]

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        services.settle_address(obj)


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """To look at and to revoke: only their owner, or `manage.py create_token`, makes them and gives them a budget."""

    list_display = [
        *["shown_prefix", "name", "owner", *plans.TOKEN_LIMITS],
        *["created_at", "last_used_at", "expires_at", "revoked_at"],
    ]
    list_select_related = ["owner"]
    search_fields = ["prefix", "name", "owner__email"]
    readonly_fields = [
        *["shown_prefix", "owner", "scopes", *plans.TOKEN_LIMITS, "this_month"],
        *["created_at", "last_used_at", "expires_at", "revoked_at"],
    ]
    fields = ["name", *readonly_fields]
    actions = ["revoke"]

    @admin.action(description=_("Revoke"))
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        for row in queryset:
            services.revoke_token(row)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        """Never the whole row: its owner may change its budget, or revoke it, while the form is open."""
        obj.save(update_fields=["name"])

    @admin.display(description=_("used this month"))
    def this_month(self, row: ApiToken) -> str:
        used = {each.measure: each.used for each in standing.of_tokens([row])[row.pk]}
        characters, cost = used[Measure.CHARACTERS], pricing.shown(pricing.in_yuan(used[Measure.COST]))
        return f"{Measure.CHARACTERS.label}: {characters:,} · {Measure.COST.label}: {cost}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

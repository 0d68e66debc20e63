"""What one may use and has used; and, for staff, everybody's limits. Who is no staff does not find these."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from voices import plans, standing, usage
from voices.models import Allowance, LimitChange, Plan, ProviderAccount, VoiceClone
from voices.quota_forms import AllowanceForm

MOST_PEOPLE = 20
MOST_CHANGES = 20

View = Callable[..., HttpResponse]


def for_staff(view: View) -> View:
    @never_cache
    @login_required
    @wraps(view)
    def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_staff:
            raise Http404
        return view(request, *args, **kwargs)

    return asked


@never_cache
@login_required
@require_safe
def quota(request: HttpRequest) -> HttpResponse:
    """The meters, and what this month was used for."""
    month = timezone.localdate().replace(day=1)
    days, voices, tokens = (
        [(key, used) for (key,), used in usage.used_by(request.user, column, since=month).items()]
        for column in ("day", "voice", "token__name")
    )
    names = dict(VoiceClone.objects.filter(pk__in=[pk for pk, _used in voices]).values_list("pk", "name"))
    context = {
        "plan": plans.plan_of(request.user),
        "meters": standing.of_person(request.user),
        "total": usage.total(used for _day, used in days),
        "days": days,
        "voices": [(names.get(pk, ""), used) for pk, used in voices],
        "tokens": tokens,
    }
    return render(request, "voices/quota.html", context)


@for_staff
@require_safe
def limits(request: HttpRequest) -> HttpResponse:
    wanted = request.GET.get("q", "").strip()
    people = get_user_model().objects.filter(email__icontains=wanted).order_by("email")[:MOST_PEOPLE] if wanted else []
    found = list(ProviderAccount.objects.order_by("provider", "name"))
    readings = standing.of_accounts(found)
    accounts = [(each, readings[each.pk]) for each in found]
    changes = LimitChange.objects.filter(token=None).select_related("by")[:MOST_CHANGES]
    context = {"q": wanted, "people": people, "accounts": accounts, "plans": Plan.objects.all(), "changes": changes}
    return render(request, "voices/limits.html", context)


@for_staff
@require_http_methods(["GET", "HEAD", "POST"])
def person_limits(request: HttpRequest, pk: int) -> HttpResponse:
    person = get_object_or_404(get_user_model(), pk=pk)
    allowance = Allowance.objects.filter(user=person).first() or Allowance(user=person)
    form = AllowanceForm(request.POST or None, instance=allowance)
    if request.method == "POST" and form.is_valid():
        plans.change_allowance(person, by=request.user, **form.cleaned_data)
        messages.success(request, _("The limits are changed, and in force from now on."))
        return redirect("person_limits", pk)
    changes = LimitChange.objects.filter(user=person).select_related("by")[:MOST_CHANGES]
    context = {"person": person, "form": form, "meters": standing.of_person(person), "changes": changes}
    return render(request, "voices/person_limits.html", context, status=422 if form.errors else 200)

"""The pages about oneself."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from voiceclone_site.accounts import services
from voiceclone_site.accounts.forms import BudgetForm, ProfileForm, TokenForm
from voiceclone_site.accounts.models import ApiToken, User
from voices import standing
from voices.refusing import shown_in


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    form = ProfileForm(request.POST or None, instance=_me(request))
    if request.method == "POST" and form.is_valid():
        user = form.save()
        if user.language:
            translation.activate(user.language)
        messages.success(request, _("Saved."))
        return redirect("profile")
    return render(request, "accounts/profile.html", {"form": form})


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """A new token is shown in the answer to its own POST and nowhere else: no session, message or log ever holds it."""
    user = _me(request)
    offered = services.scopes_for(user)
    form = TokenForm(request.POST or None, scopes=offered)
    fresh = None
    if request.method == "POST" and form.is_valid():
        with shown_in(form):
            _row, fresh = services.issue_token(user, **form.wanted())
            form = TokenForm(scopes=offered)
    rows = list(ApiToken.objects.of(user))
    readings = standing.of_tokens(rows)
    shown = [(row, [each for each in readings[row.pk] if each.limit is not None]) for row in rows]
    return render(request, "accounts/tokens.html", {"form": form, "fresh": fresh, "api_tokens": shown})


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def token_budget(request: HttpRequest, pk: int) -> HttpResponse:
    """What the token may spend, and has spent, this month."""
    row = get_object_or_404(ApiToken.objects.of(_me(request)), pk=pk)
    form = BudgetForm(request.POST or None, instance=row)
    if request.method == "POST" and form.is_valid():
        services.change_budget(row, by=_me(request), **form.cleaned_data)
        messages.success(
            request, _("The budget of “%(name)s” is changed, and in force from now on.") % {"name": row.name}
        )
        return redirect("tokens")
    context = {"api_token": row, "form": form, "meters": standing.of_tokens([row])[row.pk]}
    return render(request, "accounts/token_budget.html", context, status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def token_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(ApiToken.objects.of(_me(request)), pk=pk)
    if request.method == "POST":
        services.revoke_token(row)
        messages.success(request, _("The token “%(name)s” is revoked.") % {"name": row.name})
        return redirect("tokens")
    return render(request, "accounts/token_revoke.html", {"api_token": row})


def _me(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user

"""Pages that explain. Nobody has to be logged in to read them."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from voices import book


@require_safe
def errors(request: HttpRequest) -> HttpResponse:
    query = request.GET.get("q", "").strip()[: book.LONGEST_QUERY]
    return render(request, "help/errors.html", {"query": query, "chapters": book.chapters(query)})

"""What every page may show around its content."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django.utils.translation import get_language_info

from voices.models import ProviderAccount


def site(request: HttpRequest) -> dict[str, Any]:
    """`language_choices`: (code, its own name); `current_path`: where we are; `sandbox_in_use`: asked only if shown."""
    return {
        "language_choices": [(code, get_language_info(code)["name_local"]) for code, _name in settings.LANGUAGES],
        "current_path": request.get_full_path(),
        "sandbox_in_use": SimpleLazyObject(sandbox_in_use),
    }


def sandbox_in_use() -> bool:
    return ProviderAccount.objects.filter(origin=ProviderAccount.Origin.SANDBOX, is_open=True).exists()

"""Every address of the site. Where programs ask, errors are answered in the words of their dialect (dialects.py)."""

from __future__ import annotations

from csp.constants import UNSAFE_INLINE
from csp.decorators import csp_update
from django.contrib import admin
from django.http import HttpRequest, HttpResponseBase
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from synthesis.elevenlabs_api.models import ModelsView as ElevenLabsModelsView
from synthesis.openai_api.models import ModelsView as OpenAIModelsView
from voiceclone_site import dialects, guide, health, home, metrics, operation_page
from voiceclone_site.accounts import openapi
from voiceclone_site.accounts.api import MeView
from voiceclone_site.accounts.language import set_language
from voiceclone_site.accounts.token_api import TokensView, TokenView

__all__ = ["openapi"]  # drf-spectacular finds an extension once its module has been imported

models_in_openai, models_in_elevenlabs = OpenAIModelsView.as_view(), ElevenLabsModelsView.as_view()


@csrf_exempt
def models(request: HttpRequest) -> HttpResponseBase:
    """The one address that both dialects have: who sends ElevenLabs' header gets ElevenLabs' list."""
    view = models_in_elevenlabs if dialects.KEY_HEADER in request.headers else models_in_openai
    return view(request)


# Swagger UI writes styles into its page; its scripts come from files of ours, so scripts stay as strict as everywhere.
api_docs = csp_update({"style-src": [UNSAFE_INLINE]})(SpectacularSwaggerSplitView.as_view(url_name="schema"))

urlpatterns = [
    path("", home.landing, name="landing"),
    path("dashboard/", home.dashboard, name="dashboard"),
    path("voices/", include("voices.urls")),
    path("", include("synthesis.urls")),
    path("", include("voices.quota_urls")),
    path("webhooks/", include("voices.webhook_urls")),
    path("samples/", include("voices.sample_urls")),
    path("help/", include("voices.help_urls")),
    path("voices/", include("voices.demo_urls")),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("admin/status/", admin.site.admin_view(operation_page.status), name="admin_status"),
    path("admin/", admin.site.urls),
    path("account/", include("voiceclone_site.accounts.urls")),
    path("accounts/", include("allauth.urls")),
    path("language/", set_language, name="set_language"),
    path("api/v1/", include("voices.api_urls")),
    path("api/v1/", include("synthesis.api_urls")),
    path("api/v1/tokens", TokensView.as_view(), name="api_tokens"),
    path("api/v1/tokens/<int:number>", TokenView.as_view(), name="api_token"),
    path("api/v1/me", MeView.as_view(), name="api_me"),
    path("v1/models", models),
    path("openai/v1/models", models_in_openai),
    path("elevenlabs/v1/models", models_in_elevenlabs),
    path("v1/", include("synthesis.openai_api.urls")),
    path("openai/v1/", include("synthesis.openai_api.urls")),
    path("", include("synthesis.elevenlabs_api.urls")),
    path("elevenlabs/", include("synthesis.elevenlabs_api.urls")),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("help/api/", guide.index, name="api_guide"),
    path("help/api/<slug:slug>/", guide.group, name="api_guide_group"),
    path("api/docs/", api_docs, name="api_docs"),
]

handler400 = "voiceclone_site.error_pages.bad_request"
handler403 = "voiceclone_site.error_pages.permission_denied"
handler404 = "voiceclone_site.error_pages.page_not_found"
handler500 = "voiceclone_site.error_pages.server_error"

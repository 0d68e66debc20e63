"""Beneath /v1/ and /openai/v1/. GET /v1/models is shared with ElevenLabs' dialect: voiceclone_site/urls.py tells them apart."""

from django.urls import path

from synthesis.dialect_api import SpeechAddress
from synthesis.openai_api import consents, models, voices

urlpatterns = [
    path("models/<path:name>", models.ModelView.as_view()),
    path("audio/speech", SpeechAddress.as_view()),
    path("audio/models", models.AudioModelsView.as_view()),
    path("audio/voices", voices.VoicesView.as_view()),
    path("audio/voices/<str:pk>", voices.VoiceView.as_view()),
    path("audio/voice_consents", consents.ConsentsView.as_view()),
    path("audio/voice_consents/<str:pk>", consents.ConsentView.as_view()),
]

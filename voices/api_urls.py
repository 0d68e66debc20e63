from django.urls import path

from voices import api

urlpatterns = [
    path("providers", api.ProvidersView.as_view(), name="api_providers"),
    path("providers/<slug:slug>/reading-texts", api.ReadingTextsView.as_view(), name="api_reading_texts"),
    path("voices", api.VoicesView.as_view(), name="api_voices"),
    path("voices/import", api.VoiceImportView.as_view(), name="api_voice_import"),
    path("voices/<uuid:pk>", api.VoiceView.as_view(), name="api_voice"),
    path("voices/<uuid:pk>/events", api.VoiceEventsView.as_view(), name="api_voice_events"),
    path("voices/<uuid:pk>/retrain", api.VoiceRetrainView.as_view(), name="api_voice_retrain"),
    path("voices/<uuid:pk>/sample", api.VoiceSampleView.as_view(), name="api_voice_sample"),
]

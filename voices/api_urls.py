from django.urls import path

from voices import api, webhook_api

urlpatterns = [
    path("providers", api.ProvidersView.as_view(), name="api_providers"),
    path("providers/<slug:slug>/reading-texts", api.ReadingTextsView.as_view(), name="api_reading_texts"),
    path("voices", api.VoicesView.as_view(), name="api_voices"),
    path("voices/import", api.VoiceImportView.as_view(), name="api_voice_import"),
    path("voices/<uuid:pk>", api.VoiceView.as_view(), name="api_voice"),
    path("voices/<uuid:pk>/events", api.VoiceEventsView.as_view(), name="api_voice_events"),
    path("voices/<uuid:pk>/retrain", api.VoiceRetrainView.as_view(), name="api_voice_retrain"),
    path("voices/<uuid:pk>/sample", api.VoiceSampleView.as_view(), name="api_voice_sample"),
    path("webhooks", webhook_api.EndpointsView.as_view(), name="api_webhooks"),
    path("webhooks/<uuid:pk>", webhook_api.EndpointView.as_view(), name="api_webhook"),
    path("webhooks/<uuid:pk>/secret", webhook_api.EndpointSecretView.as_view(), name="api_webhook_secret"),
    path("webhooks/<uuid:pk>/replay", webhook_api.EndpointReplayView.as_view(), name="api_webhook_replay"),
    path("webhooks/<uuid:pk>/deliveries", webhook_api.DeliveriesView.as_view(), name="api_deliveries"),
    path("webhooks/<uuid:pk>/deliveries/<uuid:delivery>", webhook_api.DeliveryView.as_view(), name="api_delivery"),
    path(
        "webhooks/<uuid:pk>/deliveries/<uuid:delivery>/replay",
        webhook_api.DeliveryReplayView.as_view(),
        name="api_delivery_replay",
    ),
]

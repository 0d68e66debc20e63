from django.urls import path

from voices import api, quota_api, webhook_api

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
    path("quota", quota_api.QuotaView.as_view(), name="api_quota"),
    path("operate/users", quota_api.PeopleView.as_view(), name="api_people"),
    path("operate/users/<int:pk>/limits", quota_api.PersonLimitsView.as_view(), name="api_person_limits"),
    path("operate/plans", quota_api.PlansView.as_view(), name="api_plans"),
    path("operate/plans/<int:pk>", quota_api.PlanView.as_view(), name="api_plan"),
    path("operate/accounts", quota_api.AccountsView.as_view(), name="api_accounts"),
    path("operate/accounts/<int:pk>", quota_api.AccountView.as_view(), name="api_account"),
]

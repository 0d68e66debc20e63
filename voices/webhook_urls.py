from django.urls import path

from voices import webhook_views

urlpatterns = [
    path("", webhook_views.webhooks, name="webhooks"),
    path("<uuid:pk>/", webhook_views.webhook, name="webhook"),
    path("<uuid:pk>/switch/", webhook_views.webhook_switch, name="webhook_switch"),
    path("<uuid:pk>/delete/", webhook_views.webhook_delete, name="webhook_delete"),
    path("<uuid:pk>/replay/<uuid:delivery>/", webhook_views.webhook_replay, name="webhook_replay"),
]

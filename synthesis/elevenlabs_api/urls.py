"""Beneath / and /elevenlabs/. GET /v1/models is shared with OpenAI's dialect: voiceclone_site/urls.py tells them apart."""

from django.urls import path

from synthesis.dialect_api import SpeechAddress
from synthesis.elevenlabs_api import account, history, voices

urlpatterns = [
    path("v2/voices", voices.SearchView.as_view()),
    path("v1/voices", voices.VoicesView.as_view()),
    # Words that are no ids come first.
    path("v1/voices/add", voices.NewVoiceView.as_view()),
    path("v1/voices/settings/default", voices.DefaultSettingsView.as_view()),
    path("v1/voices/<str:pk>", voices.VoiceView.as_view()),
    path("v1/voices/<str:pk>/edit", voices.EditView.as_view()),
    path("v1/voices/<str:pk>/settings", voices.SettingsView.as_view()),
    path("v1/voices/<str:pk>/settings/edit", voices.EditSettingsView.as_view()),
    path("v1/voices/<str:pk>/samples/<str:sample>", voices.SampleView.as_view()),
    path("v1/voices/<str:pk>/samples/<str:sample>/audio", voices.SampleAudioView.as_view()),
    path("v1/text-to-speech/<str:pk>", SpeechAddress.as_view()),
    path("v1/text-to-speech/<str:pk>/stream", SpeechAddress.as_view()),
    path("v1/text-to-speech/<str:pk>/with-timestamps", SpeechAddress.as_view()),
    path("v1/text-to-speech/<str:pk>/stream/with-timestamps", SpeechAddress.as_view()),
    path("v1/user", account.UserView.as_view()),
    path("v1/user/subscription", account.SubscriptionView.as_view()),
    path("v1/usage/character-stats", account.CharacterStatsView.as_view()),
    path("v1/history", history.HistoryView.as_view()),
    path("v1/history/download", history.DownloadView.as_view()),
    path("v1/history/<str:pk>", history.ItemView.as_view()),
    path("v1/history/<str:pk>/audio", history.ItemAudioView.as_view()),
]

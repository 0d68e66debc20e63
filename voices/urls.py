from django.urls import path

from voices import views

urlpatterns = [
    path("", views.voices, name="voices"),
    path("stock/", views.stock_voices, name="stock_voices"),
    path("new/", views.voice_new, name="voice_new"),
    path("new/texts/<slug:provider>/", views.reading_texts, name="reading_texts"),
    path("import/", views.voice_import, name="voice_import"),
    path("<uuid:pk>/", views.voice, name="voice"),
    path("<uuid:pk>/state/", views.voice_state, name="voice_state"),
    path("<uuid:pk>/rename/", views.voice_rename, name="voice_rename"),
    path("<uuid:pk>/repeats/", views.voice_repeats, name="voice_repeats"),
    path("<uuid:pk>/retrain/", views.voice_retrain, name="voice_retrain"),
    path("<uuid:pk>/delete/", views.voice_delete, name="voice_delete"),
    path("<uuid:pk>/recording/", views.voice_sample, name="voice_sample"),
]

from django.urls import path

from synthesis import views

urlpatterns = [
    path("speak/", views.speak, name="speak"),
    path("speak/count/", views.speech_count, name="speech_count"),
    path("speak/stream/", views.speech_stream, name="speech_stream"),
    path("history/", views.history, name="history"),
    path("history/<uuid:pk>/", views.job, name="job"),
    path("history/<uuid:pk>/state/", views.job_state, name="job_state"),
    path("history/<uuid:pk>/progress/", views.job_progress, name="job_progress"),
    path("history/<uuid:pk>/audio/", views.job_audio, name="job_audio"),
    path("history/<uuid:pk>/cancel/", views.job_cancel, name="job_cancel"),
    path("history/<uuid:pk>/retry/", views.job_retry, name="job_retry"),
    path("history/<uuid:pk>/delete/", views.job_delete, name="job_delete"),
]

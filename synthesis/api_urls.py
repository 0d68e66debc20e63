from django.urls import path

from synthesis import api

urlpatterns = [
    path("speech", api.SpeechView.as_view(), name="api_speech"),
    path("jobs", api.JobsView.as_view(), name="api_jobs"),
    path("jobs/batch", api.BatchView.as_view(), name="api_jobs_batch"),
    path("jobs/<uuid:pk>", api.JobView.as_view(), name="api_job"),
    path("jobs/<uuid:pk>/alignment", api.JobAlignmentView.as_view(), name="api_job_alignment"),
    path("jobs/<uuid:pk>/subtitles.srt", api.SrtView.as_view(), name="api_job_srt"),
    path("jobs/<uuid:pk>/subtitles.vtt", api.VttView.as_view(), name="api_job_vtt"),
    path("jobs/<uuid:pk>/audio", api.JobAudioView.as_view(), name="api_job_audio"),
    path("jobs/<uuid:pk>/cancel", api.JobCancelView.as_view(), name="api_job_cancel"),
    path("jobs/<uuid:pk>/retry", api.JobRetryView.as_view(), name="api_job_retry"),
    path("usage", api.UsageView.as_view(), name="api_usage"),
]

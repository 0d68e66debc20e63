from django.urls import path

from voices import quota_views

urlpatterns = [
    path("quota/", quota_views.quota, name="quota"),
    path("operate/limits/", quota_views.limits, name="limits"),
    path("operate/limits/<int:pk>/", quota_views.person_limits, name="person_limits"),
]

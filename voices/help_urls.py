from django.urls import path

from voices import help_views

urlpatterns = [path("errors/", help_views.errors, name="help_errors")]

from django.urls import path

from voices.sample_views import sample_file

urlpatterns = [path("<str:token>/<str:name>", sample_file, name="sample_file")]

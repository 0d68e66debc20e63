from django.urls import path

from voices.demo_views import voice_demo

urlpatterns = [path("<uuid:pk>/demo/", voice_demo, name="voice_demo")]

from django.urls import path

from voiceclone_site.accounts import views

urlpatterns = [
    path("", views.profile, name="profile"),
    path("tokens/", views.tokens, name="tokens"),
    path("tokens/<int:pk>/budget/", views.token_budget, name="token_budget"),
    path("tokens/<int:pk>/revoke/", views.token_revoke, name="token_revoke"),
]

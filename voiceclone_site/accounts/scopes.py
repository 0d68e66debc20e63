"""What an API token may do: the one list that the token form, the command, the API and its schema read."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Scope(models.TextChoices):
    VOICES_READ = "voices:read", _("See voices")
    VOICES_WRITE = "voices:write", _("Clone, rename, retrain and delete voices")
    SPEECH = "speech", _("Make voices speak, at once or as a job; cancel and delete jobs")
    JOBS_READ = "jobs:read", _("See jobs and download their audio")
    USAGE_READ = "usage:read", _("See usage")
    TOKENS_READ = "tokens:read", _("See your API tokens")
    TOKENS_WRITE = (
        "tokens:write",
        _("Make tokens that may do no more than this one, set the budgets of such, and revoke any"),
    )
    WEBHOOKS_READ = "webhooks:read", _("See webhooks and the messages sent to them")
    WEBHOOKS_WRITE = "webhooks:write", _("Add, change and delete webhooks; send messages anew")


class StaffScope(models.TextChoices):
    """For tokens of staff alone; worth nothing once their owner is staff no more."""

    OPERATE = "operate", _("Operate the site: see and set everybody's limits")


ANY = "any"
"""Declared by a view that serves every valid token, whatever its scopes."""

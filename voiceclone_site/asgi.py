"""The application that the web server runs (`supervisor/web.py`)."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "voiceclone_site.settings")
django.setup()

from django.conf import settings  # noqa: E402 — there are no models before Django has been set up

from voiceclone_site.front import Front  # noqa: E402

application = Front(threads=settings.THREADS)

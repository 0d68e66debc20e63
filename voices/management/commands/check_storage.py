"""`manage.py check_storage`: whether recordings can be kept, read again, fetched as a provider would, and deleted."""

from __future__ import annotations

import io
import secrets
import wave
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand, CommandError

from voices.errors import StorageUnavailable

SECONDS = 15.0


class Command(BaseCommand):
    help = (
        "Store a second of silence, read it, fetch it by a signed address where there is a bucket, and delete it again."
    )

    def handle(self, **_options: Any) -> None:
        silence = second_of_silence()
        storage: Any = default_storage
        try:
            name = storage.save(f"check/{secrets.token_hex(16)}.wav", ContentFile(silence))
        except Exception as error:
            raise CommandError(f"Nothing can be stored: {_said(error)}") from error
        try:
            with storage.open(name) as stored:
                if stored.read() != silence:
                    raise CommandError(f"{name} was stored, and reads as something else.")
            self.stdout.write("Stored, and read again.")
            if settings.S3_BUCKET:
                self.stdout.write(fetched(storage.url(name, expire=settings.SAMPLE_URL_SECONDS), silence))
        finally:
            storage.delete(name)
        if storage.exists(name):
            raise CommandError(f"{name} could not be deleted. The key needs the right to delete.")
        self.stdout.write("Deleted. All is well.")


def fetched(url: str, silence: bytes) -> str:
    """As a provider does: without cookies, GET alone. Raises CommandError; the signature is shown nowhere."""
    parts = urlsplit(url)
    shown = f"{parts.scheme}://{parts.netloc}{parts.path}"
    try:
        with urlopen(url, timeout=SECONDS) as answer:  # noqa: S310 — the storage's own address
            body, content_type, length = answer.read(), answer.headers["Content-Type"], answer.headers["Content-Length"]
    except (URLError, OSError) as error:
        raise CommandError(f"{shown} cannot be fetched by its signed address: {_said(error)}") from None
    if (body, content_type, length) != (silence, "audio/wav", str(len(silence))):
        raise CommandError(f"{shown} answers {len(body)} bytes of {content_type}, length {length}.")
    return f"Fetched from {shown}, signed for {settings.SAMPLE_URL_SECONDS} s."


def second_of_silence() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16_000))
    return file.getvalue()


def _said(error: BaseException) -> str:
    said = error.detail if isinstance(error, StorageUnavailable) else error
    return f"{type(error).__name__}: {said}"

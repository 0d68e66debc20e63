"""Which address is which door's. A path that is no pattern's here is Django's."""

from __future__ import annotations

import re

from voiceclone_site.speech import elevenlabs
from voiceclone_site.speech.dialect import Route
from voiceclone_site.speech.native import NATIVE
from voiceclone_site.speech.openai import OPENAI

_SPEECH = r"(?:/elevenlabs)?/v1/text-to-speech/(?P<voice>[^/]+)"

ROUTES = (
    # What is to be carried out once however often it is sent takes the long way, and comes to the relay by its view.
    Route(re.compile(r"/api/v1/speech/?"), NATIVE, but_not="idempotency-key"),
    Route(re.compile(r"(?:/openai)?/v1/audio/speech/?"), OPENAI),
    Route(re.compile(rf"{_SPEECH}/?"), elevenlabs.CONVERT),
    Route(re.compile(rf"{_SPEECH}/stream/?"), elevenlabs.STREAM),
    Route(re.compile(rf"{_SPEECH}/with-timestamps/?"), elevenlabs.CONVERT_WITH_TIMES),
    Route(re.compile(rf"{_SPEECH}/stream/with-timestamps/?"), elevenlabs.STREAM_WITH_TIMES),
)

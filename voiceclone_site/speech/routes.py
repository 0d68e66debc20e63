"""Which address is which door's. A path that is no pattern's here is Django's."""

from __future__ import annotations

import re

from voiceclone_site.speech.dialect import Route
from voiceclone_site.speech.native import NATIVE
from voiceclone_site.speech.openai import OPENAI

ROUTES = (
    # What is to be carried out once however often it is sent takes the long way, and comes to the relay by its view.
    Route(re.compile(r"/api/v1/speech/?"), NATIVE, but_not="idempotency-key"),
    Route(re.compile(r"(?:/openai)?/v1/audio/speech"), OPENAI),
)

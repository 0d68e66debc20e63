"""Qiniu LinX voice clones at Qiniu's own paths, in the dialect of either revision of its page; and its AI inference's speech."""

from __future__ import annotations

from aiohttp import web

from ..options import Options
from . import calls, clones, control, demos, quotas, speech

NAME = "Qiniu LinX"


def install(app: web.Application) -> None:
    """Add the routes, and go on with trainings that a restart cut off."""
    router = app.router
    router.add_post("/v1/voice-clones", calls.create)
    router.add_get("/v1/voice-clones", calls.list_all)
    router.add_get("/v1/voice-clones/{id}", calls.get)
    router.add_put("/v1/voice-clones/{id}", calls.put)
    router.add_delete("/v1/voice-clones/{id}", calls.delete)
    router.add_get("/v1/quotas", quotas.get)
    router.add_get("/qiniu-demo/{id}/{sha256:[0-9a-f]{64}}.wav", demos.get)
    router.add_get("/v1/voice/list", speech.list_voices)
    router.add_get("/v1/voice/tts", speech.speak)
    control.install(app)
    app.on_startup.append(clones.resume)


def banner(origin: str, options: Options) -> list[str]:
    """What a person who runs the sandbox alone has to know."""
    return [
        f"QINIU_BASE_URL={origin}",
        *(f"QINIU_API_KEY={key}    (account {account})" for key, account in options.qiniu_keys.items()),
        f"QINIU_TTS_URL={origin.replace('http', 'ws', 1)}/v1/voice/tts    (QINIU_TTS_MODE=aitoken)",
        *(f"QINIU_TTS_API_KEY={key}    (account {account})" for key, account in options.qiniu_tts_keys.items()),
    ]

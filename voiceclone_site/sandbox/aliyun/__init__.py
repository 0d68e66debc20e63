"""Aliyun CosyVoice over DashScope: enrollment by REST, synthesis by WebSocket, at DashScope's own paths."""

from __future__ import annotations

from aiohttp import web

from ..options import Options
from . import enrollment, synthesis, voices

NAME = "Aliyun CosyVoice"


def install(app: web.Application) -> None:
    """Add the routes, and go on with trainings that a restart cut off."""
    app.router.add_post("/api/v1/services/audio/tts/customization", enrollment.handle)
    app.router.add_get("/api-ws/v1/inference", synthesis.handle)
    app.router.add_get("/api-ws/v1/inference/", synthesis.handle)
    app.on_startup.append(voices.resume)


def banner(origin: str, options: Options) -> list[str]:
    """What a person who runs the sandbox alone has to know."""
    return [
        f"DASHSCOPE_HTTP_BASE_URL={origin}/api/v1",
        f"DASHSCOPE_WEBSOCKET_BASE_URL={origin.replace('http', 'ws', 1)}/api-ws/v1/inference",
        *(f"DASHSCOPE_API_KEY={key}    (account {account})" for key, account in options.aliyun_keys.items()),
    ]

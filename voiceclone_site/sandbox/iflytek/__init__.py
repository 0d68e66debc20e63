"""iFlytek: tokens and training by HTTP, cloned and stock voices by two WebSockets, at iFlytek's own paths."""

from __future__ import annotations

from aiohttp import web

from ..options import Options
from ..state import STATE
from . import clone, control, humanoid, store, tasks, tokens, training
from .session import CROWD, Crowd

NAME = "iFlytek"
HOSTS = (
    "avatar-hci.xfyousheng.com",
    "opentrain.xfyousheng.com",
    "cn-huabei-1.xf-yun.com",
    "cbm01.cn-huabei-1.xf-yun.com",
)
"""Names under which the vendor's clients come when the sandbox is their HTTP proxy. Nothing is passed on."""


def install(app: web.Application) -> None:
    """Add the routes, and go on with trainings that a restart cut off."""
    store.prepare(app[STATE].connection)
    app[tasks.TRAINER] = tasks.Trainer()
    app[CROWD] = Crowd()
    app.router.add_post("/aiauth/v1/token", tokens.handle)
    calls = "|".join(training.CALLS)
    app.router.add_post(f"/voice_train/{{call:{calls}}}", training.handle)
    app.router.add_get(clone.PATH, clone.handle)
    app.router.add_get(humanoid.PATH, humanoid.handle)
    control.install(app)
    app.on_startup.append(tasks.resume)
    app.on_shutdown.append(_close)


async def _close(app: web.Application) -> None:
    await app[tasks.TRAINER].close()


def banner(origin: str, options: Options) -> list[str]:
    """What a person who runs the sandbox alone has to know."""
    socket = origin.replace("http", "ws", 1)
    return [
        f"IFLY_TOKEN_URL={origin}/aiauth/v1/token",
        f"IFLY_TRAIN_URL={origin}/voice_train",
        f"IFLY_CLONE_URL={socket}{clone.PATH}",
        f"IFLY_TTS_URL={socket}{humanoid.PATH}",
        f"HTTP_PROXY={origin}    (for the official SDK's training client, which takes no address)",
        *(
            f"IFLY_APP_ID={account.app_id} IFLY_API_KEY={account.api_key} IFLY_API_SECRET={account.api_secret}"
            f"    (account {account.name})"
            for account in options.iflytek.accounts
        ),
    ]

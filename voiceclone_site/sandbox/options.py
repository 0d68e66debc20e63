"""What can be set about a sandbox: one frozen value, replaced as a whole when a test changes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .iflytek_options import IflytekOptions

DEFAULT_PORT = 8100

ALIYUN_KEYS: Mapping[str, str] = {
    "sk-sandbox-aliyun-1": "aliyun-1",
    "sk-sandbox-aliyun-2": "aliyun-2",
}
"""API key -> main account. Fixed, printed by `manage.py sandbox`, worth nothing anywhere else."""

QINIU_KEYS: Mapping[str, str] = {
    "qiniu-sandbox-1": "qiniu-1",
    "qiniu-sandbox-2": "qiniu-2",
}
QINIU_TTS_KEYS: Mapping[str, str] = {
    "sk-sandbox-qiniu-1": "qiniu-1",
    "sk-sandbox-qiniu-2": "qiniu-2",
}
"""Keys of the other product, AI inference; whose clones they may speak with is the account's."""


@dataclass(frozen=True)
class Options:
    data_dir: Path
    port: int = DEFAULT_PORT
    """0 takes a free one."""
    train_seconds: float = 4.0
    """From create_voice to OK, from train_clone to Success. With 0 a voice is ready when the call answers."""
    first_audio_seconds: float = 0.2
    """From the first complete sentence to its first audio; 0 is as fast as possible."""
    speed: float = 6.0
    """Seconds of audio sent per second after that; 0 is as fast as possible."""
    idle_seconds: float = 23.0
    """Without client data and without audio, and between two texts, before a task fails."""
    between_tasks_seconds: float = 60.0
    """Before an idle connection is closed."""
    enrollment_rate: int = 10
    """Enrollment calls per second and account; 0 is no limit."""
    synthesis_rate: int = 3
    """Tasks per second and account; 0 is no limit."""
    quota: int = 1000
    """Voices per account."""
    fetch_seconds: float = 10.0
    """Longest time to download a sample."""
    profile: Literal["current", "legacy"] = "current"
    """Which of the HTTP statuses that the vendor's pages contradict each other on: 400/500, or 415/416/430/500."""
    accept_data_uri: bool = False
    """Whether `url` may be a Base64 data URI (vendor's guide of October 2026 only)."""
    aliyun_keys: Mapping[str, str] = field(default_factory=lambda: dict(ALIYUN_KEYS))
    qiniu_dialect: Literal["current", "legacy"] = "current"
    """Which revision of the page: with `tier` and `language` (since 2026-05-22), or with `model_id`."""
    qiniu_transport: Literal["body", "mirror"] = "body"
    """Whether an error's code stands in the body alone (HTTP 200), or is the HTTP status as well."""
    qiniu_unfetched: Literal["failed", "refused"] = "failed"
    """What becomes of a training whose recording cannot be fetched: state Failed, or code 400 at once."""
    qiniu_paid_trainings: int = 10
    """Of each account, for places of tier pro."""
    qiniu_listed: Literal["clones", "stock"] = "clones"
    """Whether the speech service lists the account's ready clones, which nobody has promised, or its own voices alone."""
    qiniu_unknown_voice: Literal["refused", "stranger"] = "refused"
    """What the speech service makes of a voice that it does not know: HTTP 400, or speech by somebody else."""
    qiniu_tts_keys: Mapping[str, str] = field(default_factory=lambda: dict(QINIU_TTS_KEYS))
    qiniu_keys: Mapping[str, str] = field(default_factory=lambda: dict(QINIU_KEYS))
    iflytek: IflytekOptions = field(default_factory=IflytekOptions)


CHANGEABLE = (
    "train_seconds",
    "first_audio_seconds",
    "speed",
    "idle_seconds",
    "between_tasks_seconds",
    "enrollment_rate",
    "synthesis_rate",
    "quota",
    "fetch_seconds",
    "profile",
    "accept_data_uri",
    "qiniu_dialect",
    "qiniu_transport",
    "qiniu_unfetched",
    "qiniu_paid_trainings",
    "qiniu_listed",
    "qiniu_unknown_voice",
    "iflytek",
)
"""Options that can be changed while the sandbox runs."""


def for_tests(data_dir: Path) -> Options:
    """No waiting, no rate limits, a free port."""
    return Options(
        data_dir=data_dir,
        port=0,
        train_seconds=0,
        first_audio_seconds=0,
        speed=0,
        enrollment_rate=0,
        synthesis_rate=0,
    )

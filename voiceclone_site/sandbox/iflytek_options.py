"""What can be set about the iFlytek half of a sandbox. Beside the package, so that options.py can read it first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class IflytekAccount:
    name: str
    """As the ledger calls it."""
    app_id: str
    api_key: str
    api_secret: str


ACCOUNTS = (
    IflytekAccount(name="iflytek-1", app_id="a1b2c3d4", api_key="k" * 32, api_secret="s" * 32),
    IflytekAccount(name="iflytek-2", app_id="b2c3d4e5", api_key="m" * 32, api_secret="t" * 32),
)
"""Fixed, printed by `manage.py sandbox`, worth nothing anywhere else."""


@dataclass(frozen=True)
class IflytekOptions:
    accounts: tuple[IflytekAccount, ...] = ACCOUNTS
    signature: Literal["strict", "sdk", "off"] = "sdk"
    """What `Authorization` and `X-Sign` must cover: the raw body; that, or what the official SDKs sign instead; or
    nothing, as long as they have the right shape."""
    token_seconds: int = 7200
    token_calls: int = 0
    """Training calls that a token is good for; 0 is no limit."""
    resubmit: Literal["accept", "refuse"] = "accept"
    """task/submit of a task that is submitted already: success, or 90001."""
    fetch_audio: bool = False
    """Whether audio/v1/add fetches its URL (this machine only). Otherwise the voice is made up from the URL's text."""
    trainings: int = 0
    """Successful trainings an account may have before 10021; 0 is no limit."""
    parallel_trainings: int = 0
    """Trainings at once before 10018; 0 is no limit."""
    frames: Literal["live", "doc"] = "live"
    """live: an acknowledgement, status-1 frames of 1.2 KB, an empty status-2 frame. doc: 0, 1, ..., 2 with audio."""
    hosts: tuple[str, ...] = ()
    """Further host names that a signed URL may carry, for example of a proxy."""
    clock_shift: float = 0.0
    """Seconds that the sandbox's clock is ahead, for signatures and the Date header of a refused handshake."""
    skew_seconds: float = 300.0
    unlicensed_vcns: tuple[str, ...] = ()
    """Stock voices that are known and not enabled: 11200."""
    extra_vcns: tuple[str, ...] = ()
    """Stock voices beyond the published list."""
    characters: int = 0
    """Billed characters of an account before 11200; 0 is no limit."""
    daily_calls: int = 0
    """Syntheses of an account before 11201; 0 is no limit."""
    concurrent: int = 0
    """Syntheses of an account at once before 10010; 0 is no limit."""
    edition_check: bool = True
    """Whether a vcn of the other edition than the voice's is 26004; nothing is documented."""
    json_code: Literal[10160, 10163] = 10160
    base64_code: Literal[10161, 10163] = 10163
    idle_seconds: float = 15.0
    """Without a message in either direction, before the connection is closed without an error frame."""
    no_data_seconds: float = 14.0
    """With a text unfinished, before 26005."""
    session_seconds: float = 60.0
    """From the handshake, before a client message is answered with 10114."""

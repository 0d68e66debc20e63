"""The recording behind `key`: fetched for real, from this machine only, and judged by ear."""

from __future__ import annotations

from ..fetching import FetchError, fetch
from ..speech import decoding, quality
from ..speech.decoding import UndecodableError
from ..state import State

PROVIDER = "qiniu"
MOST_BYTES = 10 * 1024 * 1024
_MOST_SECONDS = 120.0


class UnusableError(Exception):
    """Nothing can be learnt from what is behind the URL. `fetched` tells whether there was anything at all."""

    def __init__(self, detail: str, *, fetched: bool) -> None:
        super().__init__(detail)
        self.fetched = fetched


async def take(state: State, *, account: str, url: str) -> str:
    """Fetch, judge and keep; the SHA-256 of the recording. Raises UnusableError."""
    audio = await _download(state, account=account, url=url)
    await state.studio.work(lambda: _judge(audio))
    return state.studio.keep(audio)


async def _download(state: State, *, account: str, url: str) -> bytes:
    try:
        fetched = await fetch(url, most_bytes=MOST_BYTES, seconds=state.options.fetch_seconds)
    except FetchError as error:
        told = {"url": url, "trouble": str(error)}
        state.ledger.write(provider=PROVIDER, account=account, operation="fetch", direction="out", body=told)
        raise UnusableError(str(error), fetched=False) from error
    body = {"url": url, "content_type": fetched.content_type, "bytes": len(fetched.audio)}
    state.ledger.write(provider=PROVIDER, account=account, operation="fetch", direction="out", status=200, body=body)
    return fetched.audio


def _judge(audio: bytes) -> None:
    """The vendor states no limits of length; only what is no WAV, or in which nobody speaks, is turned down."""
    try:
        recording = decoding.decode(audio, most_seconds=_MOST_SECONDS)
    except UndecodableError as error:
        raise UnusableError(str(error), fetched=True) from error
    if recording.container != "wav":
        raise UnusableError(f"a {recording.container} file", fetched=True)
    if not quality.assess(recording).is_speech:
        raise UnusableError("nobody speaks", fetched=True)

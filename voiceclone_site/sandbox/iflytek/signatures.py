"""The three signatures: MD5 for tokens, MD5 for training calls, HMAC-SHA256 in the URL of a socket."""

from __future__ import annotations

import base64
import binascii
import email.utils
import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from ..iflytek_options import IflytekAccount, IflytekOptions
from .refusals import HandshakeRefusal

SHAPE = re.compile(r"[0-9a-f]{32}")
_ITEM = re.compile(r'(\w+)="([^"]*)"')
_SIGNED_HEADERS = "host date request-line"
_NO_DATE = "HMAC signature cannot be verified, a valid date or x-date header is required for HMAC Authentication"
_MISMATCH = "HMAC signature does not match"
_UNVERIFIABLE = "HMAC signature cannot be verified"


def token_matches(given: str, *, raw: bytes, timestamp: str, account: IflytekAccount, options: IflytekOptions) -> bool:
    """Whether `Authorization` of the token service is md5(md5(APIKey + timestamp) + body)."""
    if options.signature == "off":
        return SHAPE.fullmatch(given) is not None
    key = _md5((account.api_key + timestamp).encode())
    return given in [_md5(key.encode() + body) for body in _signable(raw, options=options)]


def training_matches(
    given: str, *, raw: bytes, is_json: bool, time: str, account: IflytekAccount, options: IflytekOptions
) -> bool:
    """Whether `X-Sign` is md5(APIKey + X-Time + md5(body)). The official SDKs sign no multipart body that can be known."""
    if not SHAPE.fullmatch(given):
        return False
    if options.signature == "off" or (options.signature == "sdk" and not is_json):
        return True
    prefix = account.api_key + time
    return given in [_md5((prefix + _md5(body)).encode()) for body in _signable(raw, options=options)]


def _signable(raw: bytes, *, options: IflytekOptions) -> Iterator[bytes]:
    """What may have been signed. SDK 0.0.3 signs Python's default spacing; httpx from 0.28 sends compact JSON."""
    yield raw
    if options.signature == "sdk":
        try:
            yield json.dumps(json.loads(raw)).encode()
        except ValueError:
            return


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def account_of_url(
    query: Mapping[str, str], *, path: str, host_header: str, now: float, options: IflytekOptions
) -> IflytekAccount:
    """Who signed the URL of a socket. Raises HandshakeRefusal in the order of the vendor's edge (a Kong HMAC plugin)."""
    if not query.get("authorization"):
        raise HandshakeRefusal(401, "Unauthorized")
    if not _is_recent(query.get("date", ""), now=now, most_seconds=options.skew_seconds):
        raise HandshakeRefusal(403, _NO_DATE)
    items = _items(query["authorization"])
    account = next((account for account in options.accounts if account.api_key == items.get("api_key")), None)
    if account is None or items.get("algorithm") != "hmac-sha256" or not items.get("signature"):
        raise HandshakeRefusal(401, _UNVERIFIABLE)
    host = query.get("host", "")
    if host not in {host_header, host_header.rpartition(":")[0] or host_header, *options.hosts}:
        raise HandshakeRefusal(401, _MISMATCH)
    signed = f"host: {host}\ndate: {query['date']}\nGET {path} HTTP/1.1"
    wanted = base64.b64encode(hmac.digest(account.api_secret.encode(), signed.encode(), "sha256")).decode()
    if items.get("headers") != _SIGNED_HEADERS or not hmac.compare_digest(wanted.encode(), items["signature"].encode()):
        raise HandshakeRefusal(401, _MISMATCH)
    return account


def _items(authorization: str) -> dict[str, str]:
    try:
        plain = base64.b64decode(authorization, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return {}
    return dict(_ITEM.findall(plain))


def _is_recent(date: str, *, now: float, most_seconds: float) -> bool:
    try:
        moment = email.utils.parsedate_to_datetime(date)
    except ValueError:
        return False
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return abs((moment - datetime.fromtimestamp(now, UTC)).total_seconds()) <= most_seconds

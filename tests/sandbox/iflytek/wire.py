"""iFlytek's wire, written byte by byte from the protocol notes, for what the official SDK cannot say."""

from __future__ import annotations

import base64
import email.utils
import hashlib
import hmac
import http.client
import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import websocket

from tests.recordings import WOMAN, recording
from voiceclone_site.sandbox.iflytek_options import ACCOUNTS, IflytekAccount
from voiceclone_site.sandbox.remote import Sandbox

OWNER, STRANGER = ACCOUNTS
TEXT = "今天天气怎么样？我们一起去公园吧。"
BOUNDARY = "----sandbox"
_SECONDS = 20.0
_SEGMENT = re.compile(r"[^;]*?:(\d+);")


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text)
        return found

    @property
    def code(self) -> int:
        return int(self.json["code"])


def md5(text: str | bytes) -> str:
    return hashlib.md5(text.encode() if isinstance(text, str) else text, usedforsecurity=False).hexdigest()


def post(sandbox: Sandbox, target: str, body: bytes, headers: Mapping[str, str], *, method: str = "POST") -> Answer:
    """`target` is a path, or a whole URL as a proxy gets it."""
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=_SECONDS)
    try:
        connection.request(method, target, body=body, headers=dict(headers))
        answer = connection.getresponse()
        return Answer(answer.status, answer.read().decode(), dict(answer.headers))
    finally:
        connection.close()


def token_body(account: IflytekAccount = OWNER, **base: Any) -> dict[str, Any]:
    stamp = str(int(time.time() * 1000))
    return {"base": {"appid": account.app_id, "version": "v1", "timestamp": stamp, **base}, "model": "remote"}


def ask_token(sandbox: Sandbox, body: object, *, account: IflytekAccount = OWNER, sign: str = "") -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    try:
        stamp = json.loads(raw)["base"]["timestamp"]
    except (ValueError, KeyError, TypeError):
        stamp = ""
    sign = sign or md5(md5(f"{account.api_key}{stamp}").encode() + raw)
    return post(sandbox, "/aiauth/v1/token", raw, {"Content-Type": "application/json", "Authorization": sign})


def token(sandbox: Sandbox, account: IflytekAccount = OWNER) -> str:
    return str(ask_token(sandbox, token_body(account), account=account).json["accesstoken"])


def headers(account: IflytekAccount, token: str, raw: bytes, **changed: str | None) -> dict[str, str]:
    """The common headers of a training call; None leaves one out."""
    stamp = str(int(time.time() * 1000))
    known: dict[str, str | None] = {
        "X-AppId": account.app_id,
        "X-Token": token,
        "X-Time": stamp,
        "X-Sign": md5(account.api_key + stamp + md5(raw)),
        "Content-Type": "application/json",
    }
    named = {name.replace("_", "-"): value for name, value in changed.items()}
    return {name: value for name, value in {**known, **named}.items() if value is not None}


def call(
    sandbox: Sandbox,
    path: str,
    body: object,
    *,
    account: IflytekAccount = OWNER,
    with_token: str = "",
    **changed: str | None,
) -> Answer:
    """One training call; `path` is what follows /voice_train/."""
    raw = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    known = with_token or token(sandbox, account)
    return post(sandbox, f"/voice_train/{path}", raw, headers(account, known, raw, **changed))


def form(fields: Mapping[str, str], audio: bytes | None, *, name: str = "me.wav", kind: str = "audio/wav") -> bytes:
    parts = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
             for key, value in fields.items()]  # fmt: skip
    if audio is not None:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: {kind}'
        parts.append(head.encode() + b"\r\n\r\n" + audio + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def submit(
    sandbox: Sandbox,
    task_id: str,
    audio: bytes | None = None,
    *,
    account: IflytekAccount = OWNER,
    name: str = "me.wav",
    segment: str = "1",
    text: str = "5001",
    **fields: str,
) -> Answer:
    """task/submitWithAudio; without `audio` a woman's."""
    given = {"taskId": task_id, "textId": text, "textSegId": segment, **fields}
    raw = form(given, recording(WOMAN) if audio is None else audio, name=name)
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    known = token(sandbox, account)
    return post(sandbox, "/voice_train/task/submitWithAudio", raw, headers(account, known, raw, Content_Type=kind))


def add_task(sandbox: Sandbox, *, account: IflytekAccount = OWNER, **fields: Any) -> str:
    order = {"resourceType": 12, "taskName": "t", "engineVersion": "omni_v1", **fields}
    given = {name: value for name, value in order.items() if value is not None}
    return str(call(sandbox, "task/add", given, account=account).json["data"])


def result(sandbox: Sandbox, task_id: str, *, account: IflytekAccount = OWNER) -> dict[str, Any]:
    found: dict[str, Any] = call(sandbox, "task/result", {"taskId": task_id}, account=account).json["data"]
    return found


def trained(sandbox: Sandbox, audio: bytes | None = None, *, account: IflytekAccount = OWNER, **fields: Any) -> str:
    """The res_id of a voice that is ready."""
    task_id = add_task(sandbox, account=account, **fields)
    assert submit(sandbox, task_id, audio, account=account).code == 0
    found = result(sandbox, task_id, account=account)
    assert found["trainStatus"] == 1, found
    return str(found["assetId"])


def signed(
    url: str, account: IflytekAccount = OWNER, *, at: float | None = None, host: str = "", **changed: str | None
) -> str:
    """A signed address. `changed` replaces what is sent (not what is signed) of authorization, date and host."""
    parts = urlsplit(url)
    host = host or parts.netloc
    date = email.utils.formatdate(time.time() if at is None else at, usegmt=True)
    origin = f"host: {host}\ndate: {date}\nGET {parts.path} HTTP/1.1"
    signature = base64.b64encode(hmac.digest(account.api_secret.encode(), origin.encode(), "sha256")).decode()
    return f"{url}?{urlencode(_query(account.api_key, signature, date=date, host=host, changed=changed))}"


def authorization(api_key: str, signature: str, *, separator: str = ", ") -> str:
    items = (
        f'api_key="{api_key}"',
        'algorithm="hmac-sha256"',
        'headers="host date request-line"',
        f'signature="{signature}"',
    )
    return base64.b64encode(separator.join(items).encode()).decode()


def _query(api_key: str, signature: str, *, date: str, host: str, changed: Mapping[str, str | None]) -> dict[str, str]:
    known: dict[str, str | None] = {"authorization": authorization(api_key, signature), "date": date, "host": host}
    return {name: value for name, value in {**known, **changed}.items() if value is not None}


def refused(url: str) -> Answer:
    """The plain HTTP answer to a handshake that must fail."""
    try:
        websocket.create_connection(url, timeout=_SECONDS)
    except websocket.WebSocketBadStatusException as error:
        kept = {name.title(): value for name, value in (error.resp_headers or {}).items()}
        return Answer(error.status_code, (error.resp_body or b"").decode(), kept)
    raise AssertionError("the handshake succeeded")


def message(
    text: str | bytes = TEXT,
    *,
    account: IflytekAccount = OWNER,
    status: int = 2,
    seq: int = 0,
    res_id: str = "",
    audio: Mapping[str, Any] | None = None,
    oral: Mapping[str, Any] | None = None,
    **tts: Any,
) -> dict[str, Any]:
    """A client message for the cloned voice `res_id`, or without one for a stock voice."""
    plain = text.encode() if isinstance(text, str) else text
    sound = {"encoding": "raw", "sample_rate": 24000, **(audio or {})}
    known: dict[str, Any] = {"vcn": "x6_clone" if res_id else "x4_lingfeiyi_oral", "audio": sound, **tts}
    parameter: dict[str, Any] = {"tts": {name: value for name, value in known.items() if value is not None}}
    if oral is not None:
        parameter["oral"] = oral
    elif not res_id:
        parameter["oral"] = {"oral_level": "low"}
    header: dict[str, Any] = {"app_id": account.app_id, "status": status}
    if res_id:
        header["res_id"] = res_id
    sent = {"encoding": "utf8", "compress": "raw", "format": "plain", "status": status, "seq": seq}
    return {
        "header": header,
        "parameter": parameter,
        "payload": {"text": {**sent, "text": base64.b64encode(plain).decode()}},
    }


@dataclass
class Heard:
    frames: list[dict[str, Any]] = field(default_factory=list)
    close: tuple[int, str] | None = None
    lost: bool = False
    """The connection ended without a close frame."""

    @property
    def payloads(self) -> list[dict[str, Any]]:
        return [frame["payload"] for frame in self.frames if frame.get("payload")]

    @property
    def pieces(self) -> list[bytes]:
        return [base64.b64decode(payload["audio"]["audio"]) for payload in self.payloads]

    @property
    def audio(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def track(self) -> str:
        return "".join(base64.b64decode(payload["pybuf"]["text"]).decode() for payload in self.payloads)

    @property
    def track_frames(self) -> int:
        """Frames of 5 ms in all segments."""
        return sum(int(found) for found in _SEGMENT.findall(re.sub(r"\{[^}]*\}", "", self.track)))

    @property
    def statuses(self) -> list[int]:
        return [payload["audio"]["status"] for payload in self.payloads]

    @property
    def error(self) -> tuple[int, str]:
        header = self.frames[-1].get("header", self.frames[-1])
        return header["code"], header["message"]


class Talk:
    def __init__(self, socket: websocket.WebSocket) -> None:
        self.socket = socket

    def send(self, sent: object) -> None:
        self.socket.send(sent if isinstance(sent, str) else json.dumps(sent))

    def hear(self, *, frames: int = 0, to_the_close: bool = False) -> Heard:
        """What comes until the last audio, an error, the end of the connection, or a number of `frames`."""
        heard = Heard()
        while not (frames and len(heard.frames) == frames):
            try:
                opcode, data = self.socket.recv_data()
            except (websocket.WebSocketConnectionClosedException, ConnectionError):
                heard.lost = True
                return heard
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                heard.close = (int.from_bytes(data[:2]), data[2:].decode())
                return heard
            frame = json.loads(data)
            heard.frames.append(frame)
            ended = frame.get("header", frame)["code"] or frame.get("payload", {}).get("audio", {}).get("status") == 2
            if ended and not to_the_close:
                return heard
        return heard


@contextmanager
def talk(url: str, account: IflytekAccount = OWNER) -> Iterator[Talk]:
    # websocket-client checks UTF-8 in Python, which takes 20 s for the largest frame.
    socket = websocket.create_connection(signed(url, account), timeout=_SECONDS, skip_utf8_validation=True)
    try:
        yield Talk(socket)
    finally:
        socket.close()
        # After the server's close frame websocket-client takes close() for done, and leaves the socket open.
        socket.shutdown()  # type: ignore[no-untyped-call]


def spoken(url: str, sent: object, account: IflytekAccount = OWNER) -> Heard:
    """One message on a connection of its own, and what comes back."""
    with talk(url, account) as line:
        line.send(sent)
        return line.hear()

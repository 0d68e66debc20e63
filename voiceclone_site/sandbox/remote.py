"""A running sandbox as a test sees it: its addresses, its faults, its ledger. Speaks only to `/_sandbox/`."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from .faults import At, How
from .ledger import Entry

_SECONDS = 30


class ControlError(RuntimeError):
    """The control API refused; the message is its own."""


@dataclass(frozen=True)
class RemoteLedger:
    sandbox: Sandbox

    def calls(self, operation: str, account: str = "") -> list[Entry]:
        """What clients sent, oldest first: an enrollment action, "handshake", or a frame's action like "run-task"."""
        return self.entries(operation=operation, account=account, direction="in")

    def answers(self, operation: str, account: str = "") -> list[Entry]:
        """What the sandbox sent: an action's answers, an event's name like "task-finished", or "audio"."""
        return self.entries(operation=operation, account=account, direction="out")

    def entries(self, *, operation: str = "", account: str = "", direction: str = "") -> list[Entry]:
        query = urlencode({"operation": operation, "account": account, "direction": direction})
        return [Entry(**fields) for fields in self.sandbox.ask("GET", f"/ledger?{query}")]

    def created(self, account: str = "") -> list[str]:
        """Ids of the voices that were made, whether or not the answer arrived."""
        return [entry.voice_id for entry in self.entries(operation="created", account=account)]

    def deleted(self, account: str = "") -> list[str]:
        return [entry.voice_id for entry in self.entries(operation="deleted", account=account)]

    def characters(self, account: str) -> int:
        """Billed characters of an account such as "aliyun-1"."""
        return int(self.sandbox.ask("GET", f"/bill?{urlencode({'account': account})}")["characters"])

    def clear(self) -> None:
        self.sandbox.ask("DELETE", "/ledger")


@dataclass(frozen=True)
class Sandbox:
    port: int

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def aliyun_http(self) -> str:
        """What DASHSCOPE_HTTP_BASE_URL has to be."""
        return f"{self.origin}/api/v1"

    @property
    def aliyun_websocket(self) -> str:
        """What DASHSCOPE_WEBSOCKET_BASE_URL has to be."""
        return f"ws://127.0.0.1:{self.port}/api-ws/v1/inference"

    @property
    def qiniu_http(self) -> str:
        """What QINIU_BASE_URL has to be."""
        return self.origin

    @property
    def qiniu_tts(self) -> str:
        """What QINIU_TTS_URL has to be."""
        return f"ws://127.0.0.1:{self.port}/v1/voice/tts"

    @property
    def iflytek_token(self) -> str:
        """What IFLY_TOKEN_URL has to be."""
        return f"{self.origin}/aiauth/v1/token"

    @property
    def iflytek_train(self) -> str:
        """What IFLY_TRAIN_URL has to be."""
        return f"{self.origin}/voice_train"

    @property
    def iflytek_clone(self) -> str:
        """What IFLY_CLONE_URL has to be."""
        return f"ws://127.0.0.1:{self.port}/v1/private/voice_clone"

    @property
    def iflytek_tts(self) -> str:
        """What IFLY_TTS_URL has to be."""
        return f"ws://127.0.0.1:{self.port}/v1/private/mcd9m97e6"

    @property
    def ledger(self) -> RemoteLedger:
        return RemoteLedger(self)

    def fail(
        self,
        *,
        operation: str,
        how: How,
        account: str = "",
        nth: int = 1,
        times: int = 1,
        at: At = "before",
        status: int = 500,
        code: str = "InternalError",
        message: str = "An internal error has occured, please try again later or contact service support.",
        seconds: float = 0.0,
        frame: int = 1,
    ) -> int:
        """Make the `nth` matching call, and `times` - 1 after it (0: every one), go wrong; the fault's id.

        `operation` is one of faults.OPERATIONS ("synthesis" is a whole task), or "*". See docs/sandbox.md for what
        each `how` does and which other arguments it reads.
        """
        fault = {
            "operation": operation,
            "how": how,
            "account": account,
            "nth": nth,
            "times": times,
            "at": at,
            "status": status,
            "code": code,
            "message": message,
            "seconds": seconds,
            "frame": frame,
        }
        return int(self.ask("POST", "/faults", fault)["id"])

    def clear_faults(self) -> None:
        self.ask("DELETE", "/faults")

    def voices(self, account: str = "") -> list[dict[str, Any]]:
        """Every voice with voice_id, account, model, prefix, status and sha256 of its sample."""
        found: list[dict[str, Any]] = self.ask("GET", "/voices")
        return [voice for voice in found if account in ("", voice["account"])]

    def set_status(self, voice_id: str, status: str) -> None:
        """End a training ("OK"), reject a voice ("UNDEPLOYED"), or hold it in training for a day ("DEPLOYING")."""
        self.ask("PATCH", f"/voices/{quote(voice_id)}", {"status": status})

    def qiniu_voices(self, account: str = "") -> list[dict[str, Any]]:
        """Every place with id, account, name, language, tier, state and sha256 of its sample."""
        found: list[dict[str, Any]] = self.ask("GET", "/qiniu/voices")
        return [voice for voice in found if account in ("", voice["account"])]

    def set_qiniu_state(self, voice_id: str, state: str) -> None:
        """End a training ("Success", "Failed"), or hold it for a day ("Training")."""
        self.ask("PATCH", f"/qiniu/voices/{quote(voice_id)}", {"state": state})

    def remove_qiniu_voice(self, voice_id: str) -> None:
        """As by hand in the vendor's console: gone, whatever its tier."""
        self.ask("DELETE", f"/qiniu/voices/{quote(voice_id)}")

    def iflytek_tasks(self, account: str = "") -> list[dict[str, Any]]:
        """Every training task with task_id, account, status, res_id, failed_desc, order and sha256 of its sample."""
        found: list[dict[str, Any]] = self.ask("GET", "/iflytek/tasks")
        return [task for task in found if account in ("", task["account"])]

    def end_iflytek_training(self, task_id: str, *, failed_desc: str = "") -> None:
        """With success, or for a reason."""
        status = 0 if failed_desc else 1
        self.ask("PATCH", f"/iflytek/tasks/{task_id}", {"trainStatus": status, "failedDesc": failed_desc})

    def forget_voices(self) -> None:
        """Those of every provider and account."""
        self.ask("DELETE", "/voices")

    def options(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", "/options")
        return found

    def configure(self, **options: Any) -> None:
        """Change options.CHANGEABLE while it runs, for example train_seconds=60, profile="legacy", quota=1.

        `iflytek` takes the fields of iflytek_options.IflytekOptions that change: iflytek={"frames": "doc"}.
        """
        self.ask("PATCH", "/options", options)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """One call of the control API; its JSON. Raises ControlError when it refuses."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_SECONDS)
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, f"/_sandbox{path}", body=data, headers={"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 400:
            raise ControlError(f"The sandbox answered {answer.status} to {method} {path}: {text}")
        return json.loads(text)

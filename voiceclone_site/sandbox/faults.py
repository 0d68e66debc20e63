"""Things that go wrong on demand."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args

How = Literal[
    "delay",
    "drop",
    "reset",
    "error",
    "html",
    "half_json",
    "undeployed",
    "unknown_state",
    "string_code",
    "no_data",
    "contradiction",
    "no_task_started",
    "close",
    "wrong_task_id",
    "drip",
    "stall",
    "duplicate_sentence",
    "missing_sentence",
    "mismatch",
    "cut_body",
    "bad_base64",
    "huge",
    "no_sid",
    "flat_error",
    "extra_fields",
]
At = Literal["start", "before", "after"]

OPERATIONS = (
    "create_voice",
    "list_voice",
    "query_voice",
    "update_voice",
    "delete_voice",
    "handshake",
    "synthesis",
    "create_clone",
    "train_clone",
    "rename_clone",
    "get_clone",
    "list_clones",
    "delete_clone",
    "get_quota",
    "qiniu:list",
    "qiniu:handshake",
    "qiniu:tts",
    "ifly:token",
    "ifly:traintext",
    "ifly:task/add",
    "ifly:audio/add",
    "ifly:submit",
    "ifly:submitWithAudio",
    "ifly:result",
    "ifly:handshake",
    "ifly:clone",
    "ifly:tts",
)


@dataclass(frozen=True)
class Fault:
    operation: str
    """One of OPERATIONS; "*" is any."""
    how: How
    account: str = ""
    """Empty is any."""
    nth: int = 1
    """The first call it strikes, counted from when it was added."""
    times: int = 1
    """How many calls it strikes; 0 is every one."""
    at: At = "before"
    """Before or after the effect. For synthesis the effect is the first audio message, "before" is after task-started,
    and "start" is in its place."""
    status: int = 500
    code: str = "InternalError"
    message: str = "An internal error has occured, please try again later or contact service support."
    frame: int = 1
    """For iFlytek's syntheses and `at` "after": how many audio frames go out first."""
    seconds: float = 0.0
    """Of a delay, between drips, or of a stall (0: for ever)."""
    id: int = 0


class UnknownFaultError(ValueError):
    """A fault that the sandbox does not know; the message lists what it knows."""


def parse(fields: dict[str, Any]) -> Fault:
    """A fault from the control API's JSON. Raises UnknownFaultError."""
    known = {field.name for field in dataclasses.fields(Fault)} - {"id"}
    if strange := set(fields) - known:
        raise UnknownFaultError(f"No such field: {', '.join(sorted(strange))}. Use {', '.join(sorted(known))}.")
    if fields.get("how") not in get_args(How):
        raise UnknownFaultError(f"`how` must be one of {', '.join(get_args(How))}.")
    if fields.get("at", "before") not in get_args(At):
        raise UnknownFaultError(f"`at` must be one of {', '.join(get_args(At))}.")
    if not fields.get("operation"):
        raise UnknownFaultError(f"`operation` must be * or one of {', '.join(OPERATIONS)}.")
    return Fault(**fields)


class FaultBook:
    """The faults in force. Lives in memory: a restart ends them."""

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._seen: dict[int, int] = {}
        self._last_id = 0

    def add(self, fault: Fault) -> Fault:
        self._last_id += 1
        added = dataclasses.replace(fault, id=self._last_id)
        self._faults[added.id] = added
        self._seen[added.id] = 0
        return added

    def list(self) -> list[Fault]:
        return list(self._faults.values())

    def clear(self, fault_id: int | None = None) -> None:
        for key in [fault_id] if fault_id is not None else list(self._faults):
            self._faults.pop(key, None)
            self._seen.pop(key, None)

    def strike(self, *, operation: str, account: str) -> Fault | None:
        """Count one call against every fault that matches it, and give the first that strikes."""
        struck = None
        for fault in self._faults.values():
            if fault.operation not in ("*", operation) or fault.account not in ("", account):
                continue
            self._seen[fault.id] += 1
            turn = self._seen[fault.id] - fault.nth
            if struck is None and turn >= 0 and (fault.times == 0 or turn < fault.times):
                struck = fault
        return struck

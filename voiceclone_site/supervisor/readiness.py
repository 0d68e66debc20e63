"""What /readyz says, asked on this machine."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

SECONDS = 4.0
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 — compared, not bound


@dataclass(frozen=True, slots=True)
class Readiness:
    """`failed`: name of a check -> its sentence. `answered` is False when nobody answered at all."""

    answered: bool
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        return self.answered and not self.failed


def ask(host: str, port: int) -> Readiness:
    connection = http.client.HTTPConnection(EVERYWHERE.get(host, host), port, timeout=SECONDS)
    try:
        # The loopback name is allowed whatever ALLOWED_HOSTS says.
        connection.request("GET", "/readyz", headers={"Host": "127.0.0.1"})
        body = json.loads(connection.getresponse().read())
        checks = body["checks"].items()
        return Readiness(True, {name: check["message"] for name, check in checks if check["status"] != "ok"})
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return Readiness(False)
    finally:
        connection.close()

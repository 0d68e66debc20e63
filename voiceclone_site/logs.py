"""One line per record, and no secret in any of them."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime

from voiceclone_site.requests import current_request_id
from voices.logbook import about

HIDDEN = "[hidden]"
SECRETS = [
    # our own tokens, whole or cut; the prefix stays, it leads to the row
    (re.compile(r"\b(vcp_[0-9A-Za-z]{8})_[0-9A-Za-z]+"), rf"\1_{HIDDEN}"),
    (re.compile(r"\b(bearer|basic|token)[ ]+(?!realm)[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    # some providers sign as "Name <access key>:<signature>", others in one long header
    (re.compile(r"\b([A-Z]\w+) [\w-]{16,}:[\w=-]{16,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"\bsk-[\w-]{6,}"), f"sk-{HIDDEN}"),
    # name=value, "name": "value", name: value — in a URL, a header, JSON or a dict
    (
        re.compile(
            r"(?P<name>\b(?:authorization|x-api-key|xi-api-key|(?:\w+_)?api[_-]?key|api[_-]?secret|secret[_-]?key|access[_-]?key"
            r"|password\d?|secret|signature|signa|sign|sig|token|csrfmiddlewaretoken|sessionid|csrftoken"
            r"|x-amz-signature|x-amz-credential|awsaccesskeyid)\b[\"']?\s*[=:]\s*[\"']?)(?!\[hidden\])[^\s\"'&,;}]{6,}",
            re.IGNORECASE,
        ),
        rf"\g<name>{HIDDEN}",
    ),
    # what django.core.signing puts behind a value, :time:signature, as in the address of a sample
    (re.compile(r"(?::|%3A)[0-9A-Za-z]{6}(?::|%3A)[\w-]{27,64}", re.IGNORECASE), f":{HIDDEN}"),
    # the links by which a password is reset or an address confirmed
    (re.compile(r"(/password/reset/key/|/confirm-email/)[^\s/\"']+"), rf"\1{HIDDEN}"),
]


def redact(text: str) -> str:
    for pattern, replacement in SECRETS:
        text = pattern.sub(replacement, text)
    return text


class RedactSecrets(logging.Filter):
    """Rewrites the record itself, traceback included, so that no handler behind this one sees more."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redact(record.getMessage())
        record.args = None
        if record.exc_info:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


class LineFormatter(logging.Formatter):
    """Time (UTC), level, logger, request id, message; a traceback follows on lines of its own.

    Line breaks inside a message are written as `\\n`: nobody may write a line of our log for us.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 — logging's own name
        at = _at(record)
        message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        return f"{at} {record.levelname} {record.name} [{current_request_id() or '-'}] {message}"


class JSONFormatter(logging.Formatter):
    """One object on one line: at, level, logger, message; request_id, user, token, voice, job, provider, provider_request_id as
    far as they are known; traceback. Behind RedactSecrets, as every formatter here."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"at": _at(record), "level": record.levelname, "logger": record.name}
        if current_request_id():
            line["request_id"] = current_request_id()
        line |= about()
        line["message"] = record.getMessage()
        if record.exc_text or record.exc_info:
            line["traceback"] = record.exc_text or self.formatException(record.exc_info)  # type: ignore[arg-type]
        return json.dumps(line, ensure_ascii=False)


def _at(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""gunicorn's settings (`gunicorn --config voiceclone_site/supervisor/web.py`)."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping


def is_worth_a_line(record: logging.LogRecord) -> bool:
    """The supervisor asks every ten seconds whether all is well; only when it is not does that need a line."""
    asked = record.args if isinstance(record.args, Mapping) else {}
    return not (asked.get("U") in {"/livez", "/readyz", "/metrics"} and asked.get("s") == "200")


wsgi_app = "voiceclone_site.wsgi:application"
bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"

# One process: SQLite has one writer, and a stream holds a thread, not a core. gthread sends each chunk as it comes; an
# asynchronous worker holds a synchronous stream back until its end (measured with uvicorn).
workers = 1
worker_class = "gthread"
threads = int(os.environ.get("THREADS", "32"))

# Of the process, not of a request: a stream may last as long as it likes.
timeout = 60
graceful_timeout = 10
keepalive = 15

control_socket_disable = True

access_log_format = '%(h)s "%(r)s" %(s)s %(B)s bytes %(M)s ms'
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    # Samples are fetched by signed addresses, and passwords reset by secret ones.
    "filters": {
        "redact": {"()": "voiceclone_site.logs.RedactSecrets"},
        "worth a line": {"()": lambda: is_worth_a_line},
    },
    "formatters": {
        "line": {"()": "voiceclone_site.logs.LineFormatter"},
        "json": {"()": "voiceclone_site.logs.JSONFormatter"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": os.environ.get("LOG_FORMAT", "line"),
            "filters": ["redact"],
        }
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "gunicorn.error": {"handlers": ["console"], "level": "INFO", "propagate": False},
        "gunicorn.access": {
            "handlers": ["console"],
            "filters": ["worth a line"],
            "level": "INFO",
            "propagate": False,
        },
    },
}

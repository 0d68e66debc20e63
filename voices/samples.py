"""Recordings: what is known of one that was uploaded, and the signed, expiring address of one that a provider is to fetch.

Decoding happens in a process of its own (`inspection.py`); this module starts it, bounds it, and puts its facts into words.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import IO, Any

from django.conf import settings
from django.core.files.base import File
from django.core.signing import BadSignature, TimestampSigner
from django.db.models.fields.files import FieldFile
from django.urls import reverse

from voices.errors import Busy, SampleRefused
from voices.inspection import Facts, Limits, Order
from voices.models import VoiceSample
from voices.providers.base import SampleRules
from voices.verdict import BREAKS_OFF, Finding, judge, longest_accepted

logger = logging.getLogger(__name__)

AT_ONCE = 2
"""Inspections at the same time in one web process; each may take 0.2 s of a core, and 200 MB of address space."""
places = threading.BoundedSemaphore(AT_ONCE)

# What people send by mistake, by its first bytes.
_OTHER_KINDS = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"%PDF-": "PDF",
    b"PK\x03\x04": "ZIP",
    b"#EXTM3U": "M3U",
    b"<!DOCTYPE html": "HTML",
    b"<html": "HTML",
}


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is known of an upload. `measurements` as in `voices.inspection.Measurements`, plus `snr` in dB; empty for a
    recording that was not measured. `prepared` is a mono 16-bit WAV, empty when the recording is refused."""

    filename: str
    size: int
    sha256: str
    container: str = ""
    codec: str = ""
    seconds: float = 0.0
    sample_rate: int = 0
    channels: int = 0
    measurements: Mapping[str, float] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    prepared: bytes = field(default=b"", repr=False)

    @property
    def extension(self) -> str:
        """Of the original as it came, by content; the uploaded name is not believed."""
        return self.container

    @property
    def refused(self) -> bool:
        return any(finding.severity == "refuse" for finding in self.findings)


class InspectionFailed(Exception):
    """The inspection program itself is at fault (not installed whole, or a bug); the operator must look."""


def inspect(
    recording: IO[bytes] | File[Any],
    *,
    rules: SampleRules,
    filename: str,
    limits: Limits | None = None,
    patience: float = 5.0,
) -> Inspection:
    """Look at an upload: what it is, whether it will do, and the file to hand to the provider.

    Takes about 0.2 s for a 12 s recording. Leaves no file behind, whatever happens; `recording` is at its start afterwards.
    Raises Busy when no place was free within `patience` seconds, InspectionFailed when the program is broken.
    """
    name = shown_name(filename)
    file = recording if isinstance(recording, File) else File(recording)
    size = file.size or 0
    if size > settings.MAX_SAMPLE_BYTES:
        return Inspection(filename=name, size=size, sha256="", findings=(too_large(),))
    if size == 0:
        return Inspection(filename=name, size=0, sha256=hashlib.sha256().hexdigest(), findings=(Finding("empty"),))
    longest = longest_accepted(rules)
    order = Order(
        measured_seconds=longest,
        shortest_seconds=rules.min_seconds + 0.05,  # a resampler may come out some samples short
        prepared_sample_rate=rules.prepared_sample_rate,
        limits=limits or Limits(),
    )
    with _place(patience), _on_disk(file) as (descriptor, sha256):
        outcome, prepared = _examine(descriptor, order)
        head = os.pread(descriptor, 32, 0)
    if isinstance(outcome, Finding):
        logger.warning("inspection of sample %s (%d bytes) ended early: %s", sha256, size, outcome.code)
        return Inspection(filename=name, size=size, sha256=sha256, findings=(outcome,))
    findings = tuple(_named(finding, head) for finding in judge(outcome, rules, counted_seconds=order.counted_seconds))
    refused = any(finding.severity == "refuse" for finding in findings)
    return Inspection(
        filename=name,
        size=size,
        sha256=sha256,
        container=outcome.container,
        codec=outcome.codec,
        seconds=outcome.seconds,
        sample_rate=outcome.sample_rate,
        channels=outcome.channels,
        measurements=_measurements(outcome),
        findings=findings,
        prepared=b"" if refused else prepared,
    )


def refuse(inspection: Inspection) -> None:
    """Raises SampleRefused with every reason, if there is one."""
    if inspection.refused:
        raise SampleRefused(
            reason=next(finding.code for finding in inspection.findings if finding.severity == "refuse"),
            fields={
                "sample": [
                    finding.sentence
                    for finding in inspection.findings
                    if finding.severity == "refuse" or finding.code in BREAKS_OFF
                ]
            },
        )


def too_large() -> Finding:
    return Finding("too_large", {"megabytes": settings.MAX_SAMPLE_BYTES // (1024 * 1024)})


def shown_name(filename: str) -> str:
    """A file name as it may be kept and shown: no path, no control characters, at most 200 characters."""
    last = PurePosixPath(filename.replace("\\", "/")).name
    return "".join(character for character in last if character.isprintable())[:200]


def _measurements(facts: Facts) -> dict[str, float]:
    if facts.measurements is None:
        return {}
    return {**asdict(facts.measurements), "snr": round(facts.measurements.snr, 1)}


def _named(finding: Finding, head: bytes) -> Finding:
    """An unreadable file that we recognise as something else is called what it is."""
    if finding.code != "unreadable":
        return finding
    for start, kind in _OTHER_KINDS.items():
        if head.startswith(start):
            return Finding("other_kind", {"kind": kind})
    return finding


# --- the process of its own ------------------------------------------------------------------------------------------


@contextmanager
def _place(patience: float) -> Iterator[None]:
    if not places.acquire(timeout=patience):
        raise Busy(retry_after=5)
    try:
        yield
    finally:
        places.release()


@contextmanager
def _on_disk(file: File[Any]) -> Iterator[tuple[int, str]]:
    """A descriptor of the upload, and its SHA-256. What is not a file on this machine's disk is copied to a nameless one."""
    digest = hashlib.sha256()
    try:
        descriptor = file.fileno()
    except (io.UnsupportedOperation, AttributeError):
        with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as copy:
            for chunk in file.chunks():
                digest.update(chunk)
                copy.write(chunk)
            copy.flush()
            file.seek(0)
            yield copy.fileno(), digest.hexdigest()
        return
    file.flush()
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    yield descriptor, digest.hexdigest()


def _examine(descriptor: int, order: Order) -> tuple[Facts | Finding, bytes]:
    """The facts, or the finding that they could not be had; and the prepared WAV.

    Output goes to a nameless file rather than a pipe: nothing to read while waiting, and nothing left after a kill.
    """
    with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as output, tempfile.TemporaryFile() as complaints:
        try:
            ended = subprocess.run(  # noqa: S603 - our own program, and its one argument is ours, too
                [sys.executable, "-m", "voices.inspection", order.as_argument()],
                stdin=descriptor,
                stdout=output,
                stderr=complaints,
                cwd=settings.BASE_DIR,
                env=child_environment(),
                timeout=order.limits.wall + 5,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Finding("too_slow"), b""
        if ended.returncode in (-signal.SIGALRM, -signal.SIGXCPU):
            return Finding("too_slow"), b""
        if ended.returncode < 0:
            return Finding("broke_inspection"), b""
        if ended.returncode > 0:
            complaints.seek(0)
            said = complaints.read()[-2000:].decode(errors="replace").strip()
            raise InspectionFailed(
                f"python -m voices.inspection ended with {ended.returncode}; install the requirements anew. {said}"
            )
        output.seek(0)
        return Facts.from_line(output.readline()), output.read()


def child_environment() -> dict[str, str]:
    """No secret of the web process reaches the one that decodes. One BLAS thread: more only fight over the cores."""
    passed = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH") if name in os.environ}
    return {**passed, "OPENBLAS_NUM_THREADS": "1"}


# --- the address a provider fetches from -----------------------------------------------------------------------------

_signer = TimestampSigner(salt="voices.sample-url")


def sample_url(sample: VoiceSample) -> str:
    """An absolute address of the prepared file alone, good for `SAMPLE_URL_SECONDS`, without cookies. Sign anew per attempt;
    whoever holds it can hear the voice, so it belongs in no log and no row."""
    if settings.SAMPLE_URLS == "storage" and not sample.voice.account.is_sandbox:
        return signed_url(sample.prepared)
    stored = PurePosixPath(sample.prepared.name or "")
    path = reverse("sample_file", kwargs={"token": _signer.sign(str(sample.pk)), "name": stored.name})
    base = settings.LOOPBACK_BASE_URL if sample.voice.account.is_sandbox else settings.PUBLIC_BASE_URL
    return f"{base}{path}"


def signed_url(stored: FieldFile) -> str:
    """The address of one object in a bucket, good for `SAMPLE_URL_SECONDS`."""
    storage: Any = stored.storage  # only a bucket's `url` takes `expire`; checks.py sees to it that it is one
    url: str = storage.url(stored.name, expire=settings.SAMPLE_URL_SECONDS)
    return url


def sample_behind(token: str) -> VoiceSample:
    """The sample that a token was signed for. Raises VoiceSample.DoesNotExist when it was not signed here, has expired, or
    the sample was erased since."""
    try:
        key: Any = int(_signer.unsign(token, max_age=settings.SAMPLE_URL_SECONDS))
    except (BadSignature, ValueError):
        raise VoiceSample.DoesNotExist("no valid token") from None
    return VoiceSample.objects.exclude(prepared="").get(pk=key, erased_at=None)

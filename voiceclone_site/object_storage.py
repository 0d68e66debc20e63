"""Files in a private bucket that speaks S3: Kodo, OSS, MinIO, or S3 itself. Only where S3_BUCKET is set (docs/operating.md)."""

from __future__ import annotations

import io
import logging
import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any, cast

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import File
from storages.backends.s3 import S3Storage
from storages.utils import clean_name
from urllib3.exceptions import HTTPError

from voices.errors import StorageUnavailable
from voices.models import CONTENT_TYPES

if TYPE_CHECKING:
    _File = File[bytes]
else:
    _File = File  # not subscriptable while running

logger = logging.getLogger(__name__)

# Some of those that speak S3 get multipart uploads wrong; no file of ours is larger.
ONE_PIECE = 64 * 1024 * 1024
READ_AHEAD = 64 * 1024


class PrivateBucket(S3Storage):  # type: ignore[misc]
    """Nothing in it has an address of its own; `url()` signs one object for a while.

    Whatever asks it raises StorageUnavailable when it does not answer, or refuses.
    """

    def __init__(self, *, signature_version: str, addressing_style: str, **options: Any) -> None:
        # All in one Config: given beside it, signature and addressing would be ignored. 2026-11-23, boto3 1.36 and newer: without
        # "when_required" an upload carries a checksum trailer, which OSS refuses with 400 InvalidArgument (0017-00000804).
        config = Config(
            signature_version=signature_version,
            s3={"addressing_style": addressing_style},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=5,
            read_timeout=30,
            retries={"max_attempts": 2},
        )
        super().__init__(
            client_config=config,
            transfer_config=TransferConfig(multipart_threshold=ONE_PIECE),
            file_overwrite=False,
            default_acl=None,
            querystring_auth=True,
            # With one, url() would not sign.
            custom_domain=None,
            **options,
        )

    def _open(self, name: str, mode: str = "rb") -> File[bytes]:
        with _answering():
            found = super()._open(name, mode).obj
            return Stored(_Object(found, size=found.content_length), name)

    def arriving(self, name: str) -> IO[bytes]:
        """For `storing.reading`. Raises FileNotFoundError."""
        found = self.bucket.Object(self._normalize_name(clean_name(name)))
        with _answering():
            try:
                answer = found.get()
            except self.connection.meta.client.exceptions.NoSuchKey:
                raise FileNotFoundError(name) from None
        arriving = _Object(found, size=answer["ContentLength"], body=answer["Body"])
        return cast("IO[bytes]", io.BufferedReader(arriving, READ_AHEAD))

    def _save(self, name: str, content: Any) -> str:
        with _answering():
            return str(super()._save(name, content))

    def delete(self, name: str) -> None:
        with _answering():
            super().delete(name)

    def exists(self, name: str) -> bool:
        with _answering():
            return bool(super().exists(name))

    def size(self, name: str) -> int:
        with _answering():
            return int(super().size(name))

    def _get_write_parameters(self, name: str, content: Any = None) -> dict[str, Any]:
        """The true content type, for some who fetch a sample believe it; what a browser called its upload is not believed."""
        suffix = PurePosixPath(name).suffix.lstrip(".")
        guessed = CONTENT_TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        parameters: dict[str, Any] = super()._get_write_parameters(name, content)
        return parameters | {"ContentType": guessed}


class Stored(_File):
    """An object, to be read as it comes over the network: nothing is asked for before it is read, and nothing is kept."""

    def __init__(self, stored: _Object, name: str) -> None:
        super().__init__(io.BufferedReader(stored, READ_AHEAD), name)
        self._stored = stored
        self.size = stored.size

    def narrow(self, *, first: int, last: int) -> None:
        """Only these bytes will be read, both included: only they are asked for."""
        self._stored.end = last + 1
        self.seek(first)


class _Object(io.RawIOBase):
    """`end`: before which byte reading ends. `body`: what has been asked for already, from the beginning."""

    def __init__(self, found: Any, *, size: int, body: Any = None) -> None:
        self._object = found
        self._body = body
        self._position = 0
        self.size = size
        self.end = size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        position = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence] + offset
        if position != self._position:
            self._drop()
            self._position = position
        return position

    def readinto(self, buffer: Any) -> int:
        if self._position >= self.end:
            return 0
        with _answering():
            if self._body is None:
                asked = f"bytes={self._position}-{self.end - 1}"
                self._body = self._object.get(Range=asked)["Body"]
            data: bytes = self._body.read(len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._drop()
        super().close()

    def _drop(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.close()


@contextmanager
def _answering() -> Iterator[None]:
    """What a bucket answers besides yes and "there is no such object", in the portal's words."""
    try:
        yield
    except (BotoCoreError, Boto3Error, ClientError, HTTPError) as error:
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> StorageUnavailable:
    """Of the error only what names no object: its own words hold addresses."""
    cause = error if isinstance(error, ClientError) else error.__context__
    said = type(error).__name__
    if isinstance(cause, ClientError):
        answer, about = cause.response.get("Error", {}), cause.response.get("ResponseMetadata", {})
        said = f"{answer.get('Code', said)} ({cause.operation_name}, status {about.get('HTTPStatusCode', '?')})"
        if request_id := about.get("RequestId"):
            said += f", request {request_id}"
    logger.error("the bucket did not do what was asked: %s", said)
    return StorageUnavailable(said)

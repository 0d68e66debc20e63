"""Files in a private bucket that speaks S3: Kodo, OSS, MinIO, or S3 itself. Only where S3_BUCKET is set (docs/operating.md)."""

from __future__ import annotations

import mimetypes
from pathlib import PurePosixPath
from typing import IO, Any

from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from storages.backends.s3 import S3Storage
from storages.utils import clean_name

from voices.models import CONTENT_TYPES

# Some of those that speak S3 get multipart uploads wrong; no file of ours is larger.
ONE_PIECE = 64 * 1024 * 1024
IN_MEMORY = 5 * 1024 * 1024


class PrivateBucket(S3Storage):  # type: ignore[misc]
    """Nothing in it has an address of its own; `url()` signs one object for a while."""

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
            max_memory_size=IN_MEMORY,
            file_overwrite=False,
            default_acl=None,
            querystring_auth=True,
            # With one, url() would not sign.
            custom_domain=None,
            **options,
        )

    def arriving(self, name: str) -> IO[bytes]:
        """For `storing.reading`. Raises FileNotFoundError."""
        try:
            body: IO[bytes] = self.bucket.Object(self._normalize_name(clean_name(name))).get()["Body"]
        except self.connection.meta.client.exceptions.NoSuchKey:
            raise FileNotFoundError(name) from None
        return body

    def _get_write_parameters(self, name: str, content: Any = None) -> dict[str, Any]:
        """The true content type, for some who fetch a sample believe it; what a browser called its upload is not believed."""
        suffix = PurePosixPath(name).suffix.lstrip(".")
        guessed = CONTENT_TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        parameters: dict[str, Any] = super()._get_write_parameters(name, content)
        return parameters | {"ContentType": guessed}

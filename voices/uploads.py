"""Take uploads in without letting one fill the disk or the memory.

A file goes to a nameless temporary file as it arrives, so nothing is left even after a kill. Once it is larger than
`settings.MAX_SAMPLE_BYTES` its bytes are dropped and only counted: the request is read to its end, for a browser that is cut
off shows its own error page instead of our sentence. A request far beyond that is cut off all the same.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest

if TYPE_CHECKING:
    _Upload = UploadedFile[bytes]
else:
    _Upload = UploadedFile  # not subscriptable while running

FORM_SLACK = 1024 * 1024
"""Bytes: what the other fields and the boundaries of a form may take beside the file."""
DRAINED_UPLOADS = 10
"""A request is read to its end up to this many times the largest sample."""


_CUT_OFF = "upload_was_cut_off"


class BoundedUpload(_Upload):
    """A file of a form. `size` is what was sent; of a file that is too large nothing was kept."""

    @property
    def is_too_large(self) -> bool:
        return bool((self.size or 0) > settings.MAX_SAMPLE_BYTES)


def was_too_large(request: HttpRequest) -> bool:
    """Whether a file of this request was too large to be kept, or the request was cut off for it. Works on a DRF request, too."""
    files: Mapping[str, Any] = request.FILES
    if getattr(request, _CUT_OFF, False):
        return True
    return any(isinstance(file, BoundedUpload) and file.is_too_large for file in files.values())


class BoundedUploadHandler(FileUploadHandler):
    """The only upload handler (`settings.FILE_UPLOAD_HANDLERS`)."""

    file: BoundedUpload

    def handle_raw_input(
        self,
        input_data: IO[bytes],
        META: dict[str, str],  # noqa: N803 - Django's name
        content_length: int,
        boundary: str,
        encoding: str | None = None,
    ) -> None:
        self._hopeless = content_length > settings.MAX_SAMPLE_BYTES + FORM_SLACK
        self._endless = content_length > settings.MAX_SAMPLE_BYTES * DRAINED_UPLOADS

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self._endless:
            setattr(self.request, _CUT_OFF, True)
            raise StopUpload(connection_reset=True)
        self._received = 0
        kept = tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR)  # noqa: SIM115 - closed with the request
        self.file = BoundedUpload(
            file=kept,
            name=self.file_name,
            content_type=self.content_type,
            size=0,
            charset=self.charset,
            content_type_extra=self.content_type_extra,
        )
        # A request that breaks off in the middle leaves a file that no request will ever close.
        weakref.finalize(self.file, kept.close)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._received += len(raw_data)
        if self._hopeless:
            return
        if self._received > settings.MAX_SAMPLE_BYTES:
            self._hopeless = True
            self.file.truncate(0)
            return
        self.file.write(raw_data)

    def file_complete(self, file_size: int) -> BoundedUpload:
        self.file.seek(0)
        self.file.size = file_size
        return self.file

    def upload_interrupted(self) -> None:
        if hasattr(self, "file"):
            self.file.close()

"""/v1/history: what was spoken and kept, to be read, heard again, fetched together and deleted."""

from __future__ import annotations

import tempfile
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import IO, Any, cast

from django.db.models import QuerySet
from django.http import FileResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import NotFound
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response

from synthesis import audio, services
from synthesis.dialect_api import DialectView, fields_of, number
from synthesis.elevenlabs_api import cursors, shapes
from synthesis.models import SynthesisJob
from voices.errors import InvalidInput
from voices.serving import serve

PAGE, LARGEST_PAGE = 100, 1000
MOST_SEARCHED = 10_000
"""Items that one request looks through for words."""
MOST_AT_ONCE = 200
"""Items in one download."""
IN_MEMORY = 8 * 1024 * 1024
"""Bytes of a zip beyond which it is put on the disk."""


class HistoryView(DialectView):
    required_scopes = {"GET": "jobs:read"}

    def get(self, request: Request) -> Response:
        asked = request.query_params
        size = number(request, "page_size", default=PAGE, least=1, most=LARGEST_PAGE)
        newest_first = asked.get("sort_direction", "desc") == "desc"
        rows = cursors.ordered(_filtered(request), "created_at", newest_first=newest_first)
        if after := asked.get("start_after_history_item_id"):
            last = find_item(request, after)
            rows = cursors.beyond(rows, "created_at", last.created_at, last.pk, newest_first=newest_first)
        searched_to: tuple[datetime, uuid.UUID] | None = None
        if words := asked.get("search"):
            rows, searched_to = _searched(rows, words, newest_first=newest_first)
        found = list(rows[: size + 1])
        shown = found[:size]
        last_at, last_pk = (shown[-1].created_at, shown[-1].pk) if shown else (None, None)
        if searched_to is not None and len(found) <= size:
            last_at, last_pk = searched_to
        return Response(
            {
                "history": [shapes.history_item(job) for job in shown],
                "has_more": len(found) > size or searched_to is not None,
                "last_history_item_id": str(last_pk) if last_pk else None,
                "scanned_until": int(last_at.timestamp()) if last_at else None,
            }
        )


class ItemView(DialectView):
    required_scopes = {"GET": "jobs:read", "DELETE": "speech"}

    def get(self, request: Request, pk: str) -> Response:
        return Response(shapes.history_item(find_item(request, pk)))

    def delete(self, request: Request, pk: str) -> Response:
        services.delete(find_item(request, pk))
        return Response({"status": "ok"})


class ItemAudioView(DialectView):
    required_scopes = {"GET": "jobs:read"}

    def get(self, request: Request, pk: str) -> HttpResponseBase:
        return _served(request, find_item(request, pk))


class DownloadView(DialectView):
    required_scopes = {"POST": "jobs:read"}
    parser_classes = [JSONParser]

    def post(self, request: Request) -> HttpResponseBase:
        """One item as its file, more of them as a zip."""
        wanted = _asked_for(fields_of(request))
        found = {str(job.pk): job for job in kept(request).filter(pk__in=[pk for pk in map(_id, wanted) if pk])}
        if len(found) < len(set(wanted)):
            raise NotFound
        jobs = [found[pk] for pk in dict.fromkeys(wanted)]
        if len(jobs) == 1:
            return _served(request, jobs[0], attachment=True)
        return FileResponse(_zipped(jobs), as_attachment=True, filename="history.zip", content_type="application/zip")


def kept(request: Request) -> QuerySet[SynthesisJob]:
    jobs = SynthesisJob.objects.visible_to(request.user)
    return jobs.filter(state=SynthesisJob.State.SUCCESS).exclude(audio="").select_related("voice").defer("marks")


def find_item(request: Request, pk: str) -> SynthesisJob:
    """Raises NotFound for what does not exist, what is somebody else's, and what was not spoken to its end."""
    wanted = _id(pk)
    found = kept(request).filter(pk=wanted).first() if wanted else None
    if found is None:
        raise NotFound
    return found


def _filtered(request: Request) -> QuerySet[SynthesisJob]:
    asked = request.query_params
    rows = kept(request)
    if voice := asked.get("voice_id"):
        rows = rows.filter(voice_id=_id(voice))
    if model := asked.get("model_id"):
        rows = rows.filter(model=model)
    if asked.get("source") not in (None, "", "TTS"):
        rows = rows.none()
    for name, side in (("date_after_unix", "gte"), ("date_before_unix", "lt")):
        if asked.get(name):
            seconds = number(request, name, default=0, most=253_402_300_799)
            rows = rows.filter(**{f"created_at__{side}": datetime.fromtimestamp(seconds, UTC)})
    return rows


def _searched(
    rows: QuerySet[SynthesisJob], words: str, *, newest_first: bool
) -> tuple[QuerySet[SynthesisJob], tuple[datetime, uuid.UUID] | None]:
    """Those of the next `MOST_SEARCHED` that hold these words, and where the search goes on, if it does: no index knows what stands
    within a text, so that a search through everything would take as long as there are texts."""
    last = list(rows.values_list("created_at", "pk")[MOST_SEARCHED - 1 : MOST_SEARCHED])
    if last:
        rows = rows.filter(**{f"created_at__{'gte' if newest_first else 'lte'}": last[0][0]})
    return rows.filter(text__icontains=words), last[0] if last else None


def _id(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _asked_for(given: Mapping[str, Any]) -> Sequence[str]:
    """Raises InvalidInput."""
    wanted = given.get("history_item_ids")
    if not isinstance(wanted, list) or not wanted or not all(isinstance(each, str) for each in wanted):
        raise InvalidInput(fields={"history_item_ids": [_("Give the ids of the items as a list.")]})
    if len(wanted) > MOST_AT_ONCE:
        raise InvalidInput(fields={"history_item_ids": [_("These are too many at once. Please ask for fewer.")]})
    if given.get("output_format") not in (None, "", "default"):
        sentence = _("Items are given in the format in which they were spoken. Leave this out.")
        raise InvalidInput(fields={"output_format": [sentence]})
    return cast("list[str]", wanted)


def _served(request: Request, job: SynthesisJob, *, attachment: bool = False) -> HttpResponseBase:
    return serve(
        request,
        services.audio_of(job),
        audio.content_type(job.audio_format),
        filename=_filename(job),
        attachment=attachment,
    )


def _zipped(jobs: Sequence[SynthesisJob]) -> IO[bytes]:
    target = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 — closed with the response
    # Not squeezed again: nearly all of it is compressed audio.
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for job in jobs:
            with services.audio_of(job).open("rb") as spoken:
                archive.writestr(_filename(job), spoken.read())
    target.seek(0)
    return cast("IO[bytes]", target)


def _filename(job: SynthesisJob) -> str:
    return f"{job.created_at:%Y-%m-%d}_{job.pk}.{audio.extension(job.audio_format)}"

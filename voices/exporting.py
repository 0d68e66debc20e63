"""A list as CSV for a spreadsheet: streamed a thousand rows at a time, and safe to open.

A cell that begins like a formula would be run by whoever opens the file, and much of what stands here was typed by users. The
byte order mark is what Excel knows UTF-8 by.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Model, QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.text import capfirst

AT_ONCE = 1000
BYTE_ORDER_MARK = "\ufeff"
# The full-width ones are formulas to an East Asian Excel.
BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_of(rows: QuerySet[Any], columns: Sequence[str], *, newest_by: str, filename: str) -> StreamingHttpResponse:
    """`columns` are fields, with `__` through foreign keys; headed by their names in the reader's language. Newest first, by
    `newest_by` and then by key, which an index should know."""
    response = StreamingHttpResponse(_lines(rows, columns, newest_by=newest_by), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    response["Cache-Control"] = "no-store"
    return response


def safe(value: object) -> str:
    """As a cell shows it. Numbers stay numbers, be they negative; only words can be taken for a formula."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return timezone.localtime(value).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, int | float | Decimal):
        return str(value)
    text = str(value)
    return f"'{text}" if text.lstrip(" ").startswith(BEGINS_A_FORMULA) else text


class _Echo:
    """What `csv` writes to: hands each line on instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def _lines(rows: QuerySet[Any], columns: Sequence[str], *, newest_by: str) -> Iterator[str]:
    fields = [_field(rows.model, column) for column in columns]
    choices: list[dict[Any, Any]] = [dict(getattr(field, "flatchoices", ())) for field in fields]
    writer: Any = csv.writer(_Echo())
    yield BYTE_ORDER_MARK + writer.writerow([safe(capfirst(str(field.verbose_name))) for field in fields])
    for row in _walked(rows, columns, newest_by=newest_by):
        cells = (named.get(value, value) for named, value in zip(choices, row, strict=True))
        yield writer.writerow([safe(cell) for cell in cells])


def _walked(rows: QuerySet[Any], columns: Sequence[str], *, newest_by: str) -> Iterator[tuple[Any, ...]]:
    """By key, so that every query is a short one, and a download of an hour holds nothing open in the database."""
    rows = rows.order_by(f"-{newest_by}", "-pk") if newest_by != "pk" else rows.order_by("-pk")
    part = rows
    while True:
        found = list(part.values_list(newest_by, "pk", *columns)[:AT_ONCE])
        yield from (row[2:] for row in found)
        if len(found) < AT_ONCE:
            return
        newest, pk = found[-1][:2]
        part = rows.filter(**{f"{newest_by}__lte": newest}).exclude(**{newest_by: newest, "pk__gte": pk})


def _field(model: type[Model], column: str) -> Any:
    """Of a way through foreign keys it is the first step that a column is headed by: the owner's address is called owner."""
    return model._meta.get_field(column.partition("__")[0])

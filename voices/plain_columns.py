"""How values go into columns and come out of them, for `plain_sql`: as the fields have it, with shorter ways for what nearly all
values are. A field looks at each for 1 to 4 µs, and a sentence has two hundred.
"""

from __future__ import annotations

import functools
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from types import NoneType
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, connections, models

Convert = Callable[[Any], Any]
ALIAS = DEFAULT_DB_ALIAS

_WHOLE: Final = (
    models.IntegerField,
    models.SmallIntegerField,
    models.PositiveIntegerField,
    models.PositiveSmallIntegerField,
    models.BigIntegerField,
    models.PositiveBigIntegerField,
    models.AutoField,
    models.BigAutoField,
)
_TAKEN_AS_THEY_ARE: Final[Mapping[type[models.Field[Any, Any]], type]] = {
    **dict.fromkeys((models.CharField, models.TextField, models.FileField), str),
    **dict.fromkeys(_WHOLE, int),
    models.FloatField: float,
    models.BooleanField: bool,
}
"""By drivers: values of exactly these types."""


class Column:
    """A field and its column."""

    def __init__(self, field: Any, connection: Any) -> None:
        itself = field.target_field if field.is_relation else field
        self.name = str(field.column)
        self.attname: str = field.attname
        self._field = field
        self._connection = connection
        self.plain = frozenset({NoneType, _TAKEN_AS_THEY_ARE.get(type(itself), NoneType)})
        self._short = _SHORT_WAYS.get((type(itself), connection.vendor == "sqlite"), {})
        if getattr(itself, "encoder", None) is not None:
            self._short = {}
        self._changes_itself = type(field).pre_save is not models.Field.pre_save and getattr(field, "auto_now", True)
        # The name of a file that is stored already stays what it is.
        self.plain_in_a_row = self.plain if not self._changes_itself else self.plain & {str}

    def prepared(self, value: Any) -> Any:
        """As the driver takes it."""
        if isinstance(value, models.Choices):
            value = value.value
        if type(value) in self.plain:
            return value
        short = self._short.get(type(value))
        if short is not None and (ready := short(value)) is not None:
            return ready
        return self._field.get_db_prep_save(value, self._connection)

    def of(self, row: models.Model, value: Any) -> Any:
        """What is written of a new row that has this value, where that is not in `plain_in_a_row`."""
        return self.prepared(self._field.pre_save(row, add=True) if self._changes_itself else value)


def _as_sqlite_has_moments(moment: datetime) -> str | None:
    return moment.isoformat(" ")[:-6] if moment.tzinfo is UTC else None


def _itself_if_aware(moment: datetime) -> datetime | None:
    return moment if moment.tzinfo is not None else None


_SHORT_WAYS: Final[Mapping[tuple[type, bool], Mapping[type, Convert]]] = {
    (models.DateTimeField, True): {datetime: _as_sqlite_has_moments},
    (models.DateTimeField, False): {datetime: _itself_if_aware},
    (models.DateField, True): {date: date.isoformat},
    (models.DateField, False): {date: lambda day: day},
    (models.UUIDField, True): {uuid.UUID: lambda given: given.hex},
    (models.UUIDField, False): {uuid.UUID: lambda given: given},
    (models.JSONField, True): dict.fromkeys((dict, list), json.dumps),
}
"""By field, and whether it is for SQLite; None where a value has to go the long way after all."""


@functools.cache
def columns(model: type[models.Model], vendor: str) -> dict[str, Column]:
    """By the names of fields and by those of attributes."""
    connection = connections[ALIAS]
    made = {field: Column(field, connection) for field in model._meta.concrete_fields}
    return {name: column for field, column in made.items() for name in (field.name, field.attname)}


def on_the_way_out(converters: Sequence[Callable[..., Any]], expression: Any, connection: Any) -> list[Convert]:
    """What makes a value of what the driver gives, where that is not None: these, unless there is a shorter way."""
    field = type(expression.output_field)
    if field is models.DateTimeField and connection.vendor == "sqlite" and connection.timezone is UTC:
        return [_in_utc]
    return [_told(convert, expression, connection) for convert in converters]


def _told(convert: Callable[..., Any], expression: Any, connection: Any) -> Convert:
    return lambda value: convert(value, expression, connection)


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)

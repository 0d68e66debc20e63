"""The ORM's own SQL, compiled once, for the few statements that every spoken sentence pays for.

Building and compiling a query takes ten times as long as running it (measured on both databases: a look-up of a voice 0.6 ms of
CPU, of which SQLite had 0.03). Models stay the truth: the statements are made from them, and values go in and out through their
fields (`plain_columns`, `plain_rows`), by the driver's own hand (`plain_driver`). What is asked once a minute has no business here.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Generic, TypeVar

from django.db import connections, models

from voices.plain_columns import ALIAS, Column, columns
from voices.plain_driver import execute, execute_later, vendor
from voices.plain_rows import Shape

M = TypeVar("M", bound=models.Model)


class Lookup(Generic[M]):
    """A query whose shape never changes. `build` is given one value to stand in for each parameter, and they have to appear in
    the query's own order; the values of a call go through the same fields.
    """

    def __init__(self, build: Callable[..., models.QuerySet[M]], stand_ins: Sequence[Any]) -> None:
        self._build = build
        self._stand_ins = stand_ins
        self._compiled: dict[str, tuple[str, list[Any], Shape[M]]] = {}

    def __call__(self, *values: Any) -> list[M]:
        if vendor() not in self._compiled:
            self._compiled[vendor()] = self._compile()
        sql, places, shape = self._compiled[vendor()]
        parameters = [values[place] if isinstance(place, int) else place.value for place in places]
        return list(shape.instances(execute(sql, parameters).rows))

    def _compile(self) -> tuple[str, list[Any], Shape[M]]:
        compiler = self._build(*self._stand_ins).query.get_compiler(ALIAS)
        sql, parameters = compiler.as_sql()
        prepared = [_prepared(each) for each in self._stand_ins]
        places: list[Any] = []
        for parameter in parameters:
            found = next((place for place, each in enumerate(prepared) if parameter in each), None)
            places.append(_Constant(parameter) if found is None else found)
        return sql, places, Shape(compiler)


class _Constant:
    def __init__(self, value: Any) -> None:
        self.value = value


def _prepared(stand_in: Any) -> tuple[Any, ...]:
    """As a value looks among a statement's parameters: a UUID is its hex where the database has no such type."""
    return (stand_in, getattr(stand_in, "hex", stand_in))


def value_of(given: Any) -> Any:
    """A UUID as this database takes it; everything else as it is."""
    return given.hex if isinstance(given, uuid.UUID) and vendor() == "sqlite" else given


Change = tuple[Mapping[str, Any], Mapping[str, Any]]


def update(model: type[models.Model], *changes: Change) -> int:
    """`UPDATE … SET values WHERE where`, all of it by plain equality, for each (`where`, `values`), whose names do not differ;
    how many rows all of them met."""
    return execute(*_updating(model, changes)).count


def update_later(model: type[models.Model], *changes: Change) -> None:
    """The same where nobody asks how many, as `execute_later`."""
    execute_later(*_updating(model, changes))


def _updating(model: type[models.Model], changes: Sequence[Change]) -> tuple[Any, ...]:
    where, values = changes[0]
    sql, written = _update_sql(model, tuple(where), tuple(values), vendor())
    sets = [
        [
            value if type(value) in column.plain else column.prepared(value)
            for column, value in zip(written, (*values.values(), *where.values()), strict=True)
        ]
        for where, values in changes
    ]
    return sql, *sets


def insert(*rows: models.Model) -> None:
    """`INSERT` of rows of one model, without asking what id the database has given them; as `execute_later`."""
    execute_later(*_inserting(rows, unless_there=""))


def insert_unless_there(*rows: models.Model, unique: str) -> int:
    """The same, but for those whose value the unique column of this field has already; how many were new."""
    return execute(*_inserting(rows, unless_there=unique)).count


def _inserting(rows: Sequence[models.Model], *, unless_there: str) -> tuple[Any, ...]:
    sql, written, values_of = _insert_sql(type(rows[0]), vendor(), unless_there)
    sets = [
        [
            value if type(value) in column.plain_in_a_row else column.of(row, value)
            for column, value in zip(written, values_of(vars(row)), strict=True)
        ]
        for row in rows
    ]
    for row in rows:
        row._state.adding, row._state.db = False, ALIAS
    return sql, *sets


@functools.cache
def _update_sql(
    model: type[models.Model], where: tuple[str, ...], values: tuple[str, ...], vendor: str
) -> tuple[str, list[Column]]:
    quote, fields = connections[ALIAS].ops.quote_name, columns(model, vendor)
    changes = ", ".join(f"{quote(fields[name].name)} = %s" for name in values)
    conditions = " AND ".join(f"{quote(fields[name].name)} = %s" for name in where)
    sql = f"UPDATE {quote(model._meta.db_table)} SET {changes} WHERE {conditions}"  # noqa: S608 — names of our models
    return sql, [fields[name] for name in (*values, *where)]


@functools.cache
def _insert_sql(
    model: type[models.Model], vendor: str, unless_there: str
) -> tuple[str, list[Column], Callable[[Mapping[str, Any]], tuple[Any, ...]]]:
    quote, fields = connections[ALIAS].ops.quote_name, columns(model, vendor)
    written = [fields[each.name] for each in model._meta.concrete_fields if not isinstance(each, models.AutoField)]
    names, places = ", ".join(quote(column.name) for column in written), ", ".join(["%s"] * len(written))
    sql = f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES ({places})"  # noqa: S608
    if unless_there:
        sql += f" ON CONFLICT ({quote(fields[unless_there].name)}) DO NOTHING"
    return sql, written, itemgetter(*(column.attname for column in written))

"""The ORM's own SQL, compiled once, for the few statements that every spoken sentence pays for.

Building and compiling a query takes ten times as long as running it (measured on both databases: a look-up of a voice 0.6 ms of
CPU, of which SQLite had 0.03). Models stay the truth: the statements are made from them, and values go in and out through their
fields. What is asked once a minute has no business here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models.query import get_related_populators

M = TypeVar("M", bound=models.Model)
ALIAS = DEFAULT_DB_ALIAS


class Lookup(Generic[M]):
    """A query whose shape never changes. `build` is given one value to stand in for each parameter, and they have to appear in
    the query's own order; the values of a call go through the same fields.
    """

    def __init__(self, build: Callable[..., models.QuerySet[M]], stand_ins: Sequence[Any]) -> None:
        self._build = build
        self._stand_ins = stand_ins
        self._compiled: dict[str, tuple[str, list[Any], Any]] = {}

    def __call__(self, *values: Any) -> list[M]:
        connection = connections[ALIAS]
        if connection.vendor not in self._compiled:
            self._compiled[connection.vendor] = self._compile()
        sql, places, compiler = self._compiled[connection.vendor]
        with connection.cursor() as cursor:
            cursor.execute(sql, [values[place] if isinstance(place, int) else place.value for place in places])
            fetched = cursor.fetchall()
        return list(self._instances(compiler, fetched))

    def _compile(self) -> tuple[str, list[Any], Any]:
        compiler = self._build(*self._stand_ins).query.get_compiler(ALIAS)
        sql, parameters = compiler.as_sql()
        prepared = [_prepared(each) for each in self._stand_ins]
        places: list[Any] = []
        for parameter in parameters:
            found = next((place for place, each in enumerate(prepared) if parameter in each), None)
            places.append(_Constant(parameter) if found is None else found)
        return sql, places, compiler

    def _instances(self, compiler: Any, fetched: Sequence[Sequence[Any]]) -> Iterator[M]:
        described = compiler.klass_info
        columns = described["select_fields"]
        names = [column[0].target.attname for column in compiler.select[columns[0] : columns[-1] + 1]]
        populators = get_related_populators(described, compiler.select, ALIAS)  # type: ignore[call-arg]  # of Django 6
        converters = compiler.get_converters([column[0] for column in compiler.select])
        rows = compiler.apply_converters(fetched, converters) if converters else fetched
        for row in rows:
            made = described["model"].from_db(ALIAS, names, row[columns[0] : columns[-1] + 1])
            for populator in populators:
                populator.populate(row, made)
            yield made


class _Constant:
    def __init__(self, value: Any) -> None:
        self.value = value


def _prepared(stand_in: Any) -> tuple[Any, ...]:
    """As a value looks among a statement's parameters: a UUID is its hex where the database has no such type."""
    return (stand_in, getattr(stand_in, "hex", stand_in))


def value_of(given: Any) -> Any:
    """A UUID as this database takes it; everything else as it is."""
    has_uuid = connections[ALIAS].features.has_native_uuid_field
    return given.hex if hasattr(given, "hex") and hasattr(given, "bytes_le") and not has_uuid else given


def update(model: type[models.Model], *, where: Mapping[str, Any], values: Mapping[str, Any]) -> int:
    """`UPDATE … SET values WHERE where`, all of it by plain equality; how many rows it met."""
    connection = connections[ALIAS]
    fields = _fields(model)
    sql = _update_sql(model, tuple(where), tuple(values), connection.vendor)
    parameters = [fields[name].get_db_prep_save(value, connection) for name, value in (*values.items(), *where.items())]
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)


def insert(row: models.Model) -> None:
    """`INSERT`, without asking what id the database has given it."""
    connection = connections[ALIAS]
    model = type(row)
    sql, fields = _insert_sql(model, connection.vendor)
    values = [field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
    row._state.adding, row._state.db = False, ALIAS


@functools.cache
def _fields(model: type[models.Model]) -> dict[str, Any]:
    named = {field.attname: field for field in model._meta.concrete_fields}
    return {**named, **{field.name: field for field in model._meta.concrete_fields}}


@functools.cache
def _update_sql(model: type[models.Model], where: tuple[str, ...], values: tuple[str, ...], vendor: str) -> str:
    quote, fields = connections[ALIAS].ops.quote_name, _fields(model)
    changes = ", ".join(f"{quote(fields[name].column)} = %s" for name in values)
    conditions = " AND ".join(f"{quote(fields[name].column)} = %s" for name in where)
    return f"UPDATE {quote(model._meta.db_table)} SET {changes} WHERE {conditions}"  # noqa: S608 — names of our models


@functools.cache
def _insert_sql(model: type[models.Model], vendor: str) -> tuple[str, list[Any]]:
    quote = connections[ALIAS].ops.quote_name
    fields = [field for field in model._meta.concrete_fields if not isinstance(field, models.AutoField)]
    columns, places = ", ".join(quote(str(field.column)) for field in fields), ", ".join(["%s"] * len(fields))
    return f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({places})", fields  # noqa: S608

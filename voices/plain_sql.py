"""The ORM's own SQL, compiled once, for the few statements that every spoken sentence pays for.

Building and compiling a query takes ten times as long as running it (measured on both databases: a look-up of a voice 0.6 ms of
CPU, of which SQLite had 0.03). Models stay the truth: the statements are made from them, and values go in and out through their
fields. What is asked once a minute has no business here.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import NoneType
from typing import Any, ClassVar, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models, transaction
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
        self._compiled: dict[str, tuple[str, list[Any], _Shape]] = {}

    def __call__(self, *values: Any) -> list[M]:
        connection = connections[ALIAS]
        if connection.vendor not in self._compiled:
            self._compiled[connection.vendor] = self._compile()
        sql, places, shape = self._compiled[connection.vendor]
        with cursor() as opened:
            opened.execute(sql, [values[place] if isinstance(place, int) else place.value for place in places])
            fetched = opened.fetchall()
        return list(self._instances(shape, fetched))

    def _compile(self) -> tuple[str, list[Any], _Shape]:
        compiler = self._build(*self._stand_ins).query.get_compiler(ALIAS)
        sql, parameters = compiler.as_sql()
        prepared = [_prepared(each) for each in self._stand_ins]
        places: list[Any] = []
        for parameter in parameters:
            found = next((place for place, each in enumerate(prepared) if parameter in each), None)
            places.append(_Constant(parameter) if found is None else found)
        return sql, places, _Shape(compiler)

    def _instances(self, made_by: _Shape, fetched: Sequence[Sequence[Any]]) -> Iterator[M]:
        connection = connections[ALIAS]
        for row in fetched:
            values = list(row)
            for place, (converters, expression) in made_by.converters.items():
                for convert in converters:
                    values[place] = convert(values[place], expression, connection)
            made = made_by.model.from_db(ALIAS, made_by.names, values[made_by.first : made_by.last])
            for populator in made_by.populators:
                populator.populate(values, made)
            yield made


class _Shape:
    """How a row of a query becomes an instance and those that hang on it."""

    def __init__(self, compiler: Any) -> None:
        described, select = compiler.klass_info, compiler.select
        self.model = described["model"]
        self.first, self.last = described["select_fields"][0], described["select_fields"][-1] + 1
        self.names = [column[0].target.attname for column in select[self.first : self.last]]
        self.populators = get_related_populators(described, select, ALIAS)  # type: ignore[call-arg]  # of Django 6
        self.converters = compiler.get_converters([column[0] for column in select])


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


def cursor() -> Any:
    """For statements made by hand. PostgreSQL is given the values beside the statement: Django writes them into it, in Python."""
    connection = connections[ALIAS]
    if connection.vendor != "postgresql":
        return connection.cursor()
    connection.ensure_connection()
    opened = _psycopg().Cursor(connection.connection)
    return connection.make_debug_cursor(opened) if connection.queries_logged else connection.make_cursor(opened)


@functools.cache
def _psycopg() -> Any:
    return import_module("psycopg")


@contextmanager
def writing(*, savepoint: bool = True) -> Iterator[None]:
    """A transaction; within another one, part of it, that can be undone alone if there is a `savepoint`.

    Of the threads of this process one writes at a time where the database itself has but one writer: SQLite lets the others look
    again after 1, 2, 5, 10 ms, and so on, and whoever comes in between goes first.
    """
    connection = connections[ALIAS]
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        with transaction.atomic(savepoint=savepoint):
            yield
        return
    with _THE_WRITER, transaction.atomic():
        yield


_THE_WRITER = threading.Lock()


def update(model: type[models.Model], *, where: Mapping[str, Any], values: Mapping[str, Any]) -> int:
    """`UPDATE … SET values WHERE where`, all of it by plain equality; how many rows it met."""
    return update_each(model, [(where, values)])


def update_each(model: type[models.Model], changes: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> int:
    """The same with other figures for each (`where`, `values`), whose names do not differ; how many rows all of them met."""
    connection = connections[ALIAS]
    first_where, first_values = changes[0]
    sql = _update_sql(model, tuple(first_where), tuple(first_values), connection.vendor)
    columns = [_fields(model)[name] for name in (*first_values, *first_where)]
    parameters = [
        [
            column.prepared(value, connection)
            for column, value in zip(columns, (*values.values(), *where.values()), strict=True)
        ]
        for where, values in changes
    ]
    return _executed(sql, parameters)


def insert(*rows: models.Model, unless_there: str = "") -> int:
    """`INSERT` of rows of one model, without asking what id the database has given them; how many were new: all of them, unless
    there is one already with the same value in the unique column of the field `unless_there`.
    """
    connection = connections[ALIAS]
    sql, columns = _insert_sql(type(rows[0]), connection.vendor, unless_there)
    written = _executed(sql, [[column.of(row, connection) for column in columns] for row in rows])
    for row in rows:
        row._state.adding, row._state.db = False, ALIAS
    return written


def _executed(sql: str, parameters: Sequence[Sequence[Any]]) -> int:
    with cursor() as opened:
        if len(parameters) == 1:
            opened.execute(sql, parameters[0])
        else:
            opened.executemany(sql, parameters)
        return int(opened.rowcount)


class _Column:
    """A field and its column. What is already as drivers take it goes its way: the ORM looks at each value for 1 to 4 µs."""

    PLAIN: ClassVar[Mapping[type[models.Field[Any, Any]], frozenset[type]]] = {
        **dict.fromkeys((models.CharField, models.TextField), frozenset({str, NoneType})),
        **dict.fromkeys(
            (
                models.IntegerField,
                models.SmallIntegerField,
                models.PositiveIntegerField,
                models.BigIntegerField,
                models.PositiveBigIntegerField,
                models.AutoField,
                models.BigAutoField,
            ),
            frozenset({int, NoneType}),
        ),
        models.FloatField: frozenset({float, NoneType}),
        **dict.fromkeys((models.DateTimeField, models.UUIDField), frozenset({NoneType})),
    }

    def __init__(self, field: Any) -> None:
        self._field = field
        self._attname: str = field.attname
        self._changes_itself = type(field).pre_save is not models.Field.pre_save and getattr(field, "auto_now", True)
        itself = field.target_field if field.is_relation else field
        self._plain = self.PLAIN.get(type(itself), frozenset())

    @property
    def name(self) -> str:
        return str(self._field.column)

    def of(self, row: models.Model, connection: Any) -> Any:
        value = self._field.pre_save(row, add=True) if self._changes_itself else getattr(row, self._attname)
        return self.prepared(value, connection)

    def prepared(self, value: Any, connection: Any) -> Any:
        return value if type(value) in self._plain else self._field.get_db_prep_save(value, connection)


@functools.cache
def _fields(model: type[models.Model]) -> dict[str, _Column]:
    columns = {field: _Column(field) for field in model._meta.concrete_fields}
    return {name: column for field, column in columns.items() for name in (field.name, field.attname)}


@functools.cache
def _update_sql(model: type[models.Model], where: tuple[str, ...], values: tuple[str, ...], vendor: str) -> str:
    quote, fields = connections[ALIAS].ops.quote_name, _fields(model)
    changes = ", ".join(f"{quote(fields[name].name)} = %s" for name in values)
    conditions = " AND ".join(f"{quote(fields[name].name)} = %s" for name in where)
    return f"UPDATE {quote(model._meta.db_table)} SET {changes} WHERE {conditions}"  # noqa: S608 — names of our models


@functools.cache
def _insert_sql(model: type[models.Model], vendor: str, unless_there: str) -> tuple[str, list[_Column]]:
    quote, fields = connections[ALIAS].ops.quote_name, _fields(model)
    written = [field for field in model._meta.concrete_fields if not isinstance(field, models.AutoField)]
    columns, places = ", ".join(quote(str(field.column)) for field in written), ", ".join(["%s"] * len(written))
    sql = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({places})"  # noqa: S608
    if unless_there:
        sql += f" ON CONFLICT ({quote(fields[unless_there].name)}) DO NOTHING"
    return sql, [fields[field.name] for field in written]

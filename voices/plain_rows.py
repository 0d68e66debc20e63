"""How rows become instances, for `plain_sql`: those that were read, and new ones. Made the usual way each takes 20 to 40 µs, for
what a model might do while one is made; where a model does, that is how it is made.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models.base import ModelState
from django.db.models.signals import post_init, pre_init

from voices import plain_columns

M = TypeVar("M", bound=models.Model)
ALIAS = DEFAULT_DB_ALIAS


class Shape(Generic[M]):
    """How a row of a query becomes an instance and those that hang on it."""

    def __init__(self, compiler: Any) -> None:
        connection = connections[ALIAS]
        found = compiler.get_converters([column[0] for column in compiler.select])
        self._converters = [
            (place, convert)
            for place, (converters, expression) in found.items()
            for convert in plain_columns.on_the_way_out(converters, expression, connection)
        ]
        self._part = _Part(compiler.klass_info, compiler.select)

    def instances(self, fetched: Sequence[Sequence[Any]]) -> Iterator[M]:
        for row in fetched:
            values = list(row)
            for place, convert in self._converters:
                if values[place] is not None:
                    values[place] = convert(values[place])
            yield self._part.made_of(values)


class _Part:
    """The columns of one model in a row, and the parts of those that hang on it."""

    def __init__(self, described: Mapping[str, Any], select: Sequence[Any]) -> None:
        assert not described.get("from_parent"), "no model of ours inherits the columns of another"
        self._model = described["model"]
        self._columns = slice(described["select_fields"][0], described["select_fields"][-1] + 1)
        self._names = [column[0].target.attname for column in select[self._columns]]
        self._key = described["select_fields"][0] + self._names.index(self._model._meta.pk.attname)
        self._is_plain = is_plain(self._model)
        self._others = [
            (other["local_setter"], other["remote_setter"], _Part(other, select))
            for other in described.get("related_klass_infos", ())
        ]

    def made_of(self, values: Sequence[Any]) -> Any:
        if self._is_plain:
            made = self._model.__new__(self._model)
            vars(made).update(zip(self._names, values[self._columns], strict=True), _state=ModelState())
            made._state.adding, made._state.db = False, ALIAS
        else:
            made = self._model.from_db(ALIAS, self._names, values[self._columns])
        for of_this, of_the_other, part in self._others:
            other = part.made_of(values) if values[part._key] is not None else None
            of_this(made, other)
            if other is not None:
                of_the_other(other, made)
        return made


@functools.cache
def is_plain(model: type[models.Model]) -> bool:
    """Whether nothing else happens while an instance is made than that it is given its values."""
    as_usual = models.Model
    return (
        model.__init__ is as_usual.__init__
        and model.__new__ is as_usual.__new__
        and getattr(model.from_db, "__func__", None) is as_usual.from_db.__func__  # type: ignore[attr-defined]
        and not pre_init.has_listeners(model)
        and not post_init.has_listeners(model)
    )


# --- new ones ----------------------------------------------------------------------------------------------------------


def drafted(model: type[M], /, **given: Any) -> M:
    """As `model(**given)`; what is given by the name of a relation is an instance."""
    if not is_plain(model):
        return model(**given)
    layout = _layout(model)
    made = model.__new__(model)
    values = vars(made)
    values["_state"] = state = ModelState()
    values.update(layout.constants)
    for name, value in given.items():
        if (link := layout.links.get(name)) is None:
            assert name in layout.names, f"{model.__name__} has no {name}"
            values[name] = value
        else:
            values[link.attname] = None if value is None else getattr(value, link.target)
            state.fields_cache[name] = value
    for name, default in layout.defaults:
        if name not in given:
            values[name] = default()
    return made


@dataclass(frozen=True, slots=True)
class _Link:
    attname: str
    target: str


@dataclass(frozen=True, slots=True)
class _Layout:
    names: frozenset[str]
    constants: Mapping[str, Any]
    defaults: Sequence[tuple[str, Callable[[], Any]]]
    links: Mapping[str, _Link]


@functools.cache
def _layout(model: type[models.Model]) -> _Layout:
    fields: Sequence[Any] = model._meta.concrete_fields
    made_anew = [field for field in fields if field.has_default() and callable(field.default)]
    return _Layout(
        frozenset(field.attname for field in fields),
        {field.attname: None if field in made_anew else field.get_default() for field in fields},
        [(field.attname, field.get_default) for field in made_anew],
        {
            field.name: _Link(field.attname, field.target_field.attname)
            for field in fields
            if isinstance(field, models.ForeignKey)
        },
    )

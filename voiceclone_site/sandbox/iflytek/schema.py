"""The gateway's parameter schema and the words of its validator. JSON null counts as absent, as SDK 0.0.2 sends it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Integer:
    lowest: int | None = None
    highest: int | None = None
    one_of: tuple[int, ...] = ()
    required: bool = False


@dataclass(frozen=True)
class String:
    one_of: tuple[str, ...] = ()
    shortest: int = 0
    longest: int | None = None
    required: bool = False


@dataclass(frozen=True)
class Boolean:
    required: bool = False


@dataclass(frozen=True)
class Object:
    fields: Mapping[str, Node]
    required: bool = False
    closed: bool = True
    """Whether other fields are refused."""


Node = Integer | String | Boolean | Object


def violations(value: object, node: Node, *, path: str = "$") -> Iterator[str]:
    """What is wrong, in the gateway's words, each sentence ending in "; "."""
    match node:
        case Object():
            yield from _in_object(value, node, path=path)
        case Integer():
            yield from _in_integer(value, node, path=path)
        case String():
            yield from _in_string(value, node, path=path)
        case Boolean():
            if not isinstance(value, bool):
                yield f"'{path}' type must be boolean; "


def _in_object(value: object, node: Object, *, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"'{path}' type must be object; "
        return
    for name, child in node.fields.items():
        if value.get(name) is not None:
            yield from violations(value[name], child, path=f"{path}.{name}")
        elif child.required:
            yield f"'{path}.{name}' field is required; "
    if node.closed:
        for name in value:
            if name not in node.fields:
                yield f"'{path}.{name}' unknown field; "


def _in_integer(value: object, node: Integer, *, path: str) -> Iterator[str]:
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1:
        yield f"'{path}' type should be integer; "
        return
    if node.one_of and value not in node.one_of:
        yield f"'{path}' must be one of [{' '.join(map(str, node.one_of))}]; "
    if node.highest is not None and value > node.highest:
        yield f"'{path}' value must be less or equal than {node.highest}; "
    if node.lowest is not None and value < node.lowest:
        yield f"'{path}' value must be larger or equal than {node.lowest}; "


def _in_string(value: object, node: String, *, path: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"'{path}' type must be string; "
        return
    if node.one_of and value not in node.one_of:
        yield f"'{path}' must be one of [{' '.join(node.one_of)}]; "
    if node.longest is not None and len(value) > node.longest:
        yield f"'{path}' length must be less or equal than {node.longest}; "
    if len(value) < node.shortest:
        yield f"'{path}' length must be larger or equal than {node.shortest}; "


def defaulted(value: Mapping[str, Any], name: str, default: Any) -> Any:
    """A field, or its default where it is absent or null."""
    found = value.get(name)
    return default if found is None else found

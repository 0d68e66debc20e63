"""One example of every operation of the API: its request and its answer, as they went over the wire once.

`api_examples.json` has them by operation id; the schema carries them, and the guide makes its commands of them. A test holds each
against the schema, so that none can outlive a change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("api_examples.json")
JSON = "application/json"
FORM = "multipart/form-data"
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Example:
    """`request` is the body, or in a form its fields, where `@name` stands for a file. `by_json`: the same by JSON where a form
    is usual. `answer` is the JSON that came, None where something else came."""

    request: Mapping[str, Any] | None = None
    by_json: Mapping[str, Any] | None = None
    query: str = ""
    answer: Any = None
    answer_text: str = ""


@cache
def kept() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def path_values(path: str) -> dict[str, Any]:
    """What stands for the ids of an address: `/api/v1/voices/{id}` has one of a voice."""
    found: dict[str, Any] = kept()["paths"].get(path.split("/")[3], {})
    return found


@cache
def examples() -> Mapping[str, Example]:
    """By operation id."""
    return {
        name: Example(
            request=each.get("request"),
            by_json=each.get("request_json"),
            query=each.get("query", ""),
            answer=each.get("response"),
            answer_text=each.get("response_text", ""),
        )
        for name, each in kept()["operations"].items()
    }


def examples_everywhere(result: dict[str, Any], **_spectacular: Any) -> dict[str, Any]:
    """For SPECTACULAR_SETTINGS["POSTPROCESSING_HOOKS"]."""
    for path, operations in result["paths"].items():
        for method in operations.keys() & set(METHODS):
            operation = operations[method]
            if (example := examples().get(operation["operationId"])) is not None:
                _show(operation, example)
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path" and parameter["name"] in path_values(path):
                    parameter["example"] = path_values(path)[parameter["name"]]
    return result


def _show(operation: dict[str, Any], example: Example) -> None:
    bodies = operation.get("requestBody", {}).get("content", {})
    if FORM in bodies and example.request is not None:
        sent = {name: value for name, value in example.request.items() if not str(value).startswith("@")}
        bodies[FORM]["examples"] = {"example": {"value": deepcopy(sent)}}
    by_json = example.by_json if FORM in bodies else example.request
    if JSON in bodies and by_json is not None:
        bodies[JSON]["examples"] = {"example": {"value": deepcopy(by_json)}}
    for status, response in operation["responses"].items():
        for kind, content in response.get("content", {}).items():
            if status.startswith("2") and kind == JSON and example.answer is not None:
                content["examples"] = {"example": {"value": deepcopy(example.answer)}}
            elif status.startswith("2") and example.answer_text:
                content["examples"] = {"example": {"value": example.answer_text}}

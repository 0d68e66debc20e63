"""One request, as somebody would write it: curl, Python with requests, JavaScript with fetch. Pure functions."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TOKEN = "$TOKEN"  # noqa: S105 — what a reader replaces


@dataclass(frozen=True, slots=True)
class Call:
    """`url` is whole. `body` is sent as JSON, or, when `as_form`, as a form in which `@name` stands for a file. `saves` names the
    file that the answer goes to, empty where it is JSON."""

    method: str
    url: str
    body: Mapping[str, Any] | None = None
    as_form: bool = False
    saves: str = ""


def curl(call: Call) -> str:
    parts = ["curl -sS"]
    if call.method != "GET":
        parts[0] += f" -X {call.method}" if call.body is None or call.method != "POST" else ""
    parts.append(f'-H "Authorization: Bearer {TOKEN}"')
    if call.body is not None and call.as_form:
        parts += [f"-F {shlex.quote(f'{name}={_form_value(value)}')}" for name, value in call.body.items()]
    elif call.body is not None:
        parts += ['-H "Content-Type: application/json"', f"-d {shlex.quote(_json(call.body))}"]
    if call.saves:
        parts.append(f"-o {call.saves}")
    return " \\\n  ".join([*parts, f'"{call.url}"'])


def python(call: Call) -> str:
    arguments, opened = [f'"{call.url}"', "headers=headers"], ""
    if call.body is not None and call.as_form:
        fields = {name: _form_value(value) for name, value in call.body.items() if not _is_file(value)}
        files = {name: value[1:] for name, value in call.body.items() if _is_file(value)}
        arguments.append(f"data={json.dumps(fields, ensure_ascii=False)}")
        if files:
            named = ", ".join(f'"{name}": {name}' for name in files)
            arguments.append(f"files={{{named}}}")
            opened = ", ".join(f'open("{file}", "rb") as {name}' for name, file in files.items())
    elif call.body is not None:
        arguments.append(f"json={_python_value(call.body)}")
    if call.saves:
        arguments.append("stream=True")
    asked = [
        f"answer = requests.{call.method.lower()}(",
        *(f"    {argument}," for argument in arguments),
        ")",
    ]
    lines = [
        "import os",
        "import requests",
        "",
        'headers = {"Authorization": f"Bearer {os.environ[\'TOKEN\']}"}',
        *([f"with {opened}:", *(f"    {line}" for line in asked)] if opened else asked),
        "answer.raise_for_status()",
    ]
    if call.saves:
        lines += [
            f'with open("{call.saves}", "wb") as file:',
            "    for chunk in answer.iter_content(None):",
            "        file.write(chunk)",
        ]
    elif call.method != "DELETE":
        lines.append("print(answer.json())")
    return "\n".join(lines)


def javascript(call: Call) -> str:
    options = [f'method: "{call.method}",'] if call.method != "GET" else []
    lines = []
    headers = "Authorization: `Bearer ${process.env.TOKEN}`"
    if call.body is not None and call.as_form:
        lines.append("const form = new FormData();")
        for name, value in call.body.items():
            said = f'await openAsBlob("{value[1:]}"), "{value[1:]}"' if _is_file(value) else f'"{_form_value(value)}"'
            lines.append(f'form.set("{name}", {said});')
        if any(_is_file(value) for value in call.body.values()):
            lines.insert(0, 'import { openAsBlob } from "node:fs";\n')
        options.append("body: form,")
    elif call.body is not None:
        headers += ', "Content-Type": "application/json"'
        options.append(f"body: JSON.stringify({_json(call.body)}),")
    options.insert(len(options) - 1 if call.body is not None else len(options), f"headers: {{ {headers} }},")
    lines += [f'const answer = await fetch("{call.url}", {{', *(f"  {option}" for option in options), "});"]
    lines.append("if (!answer.ok) throw new Error((await answer.json()).error.message);")
    if call.saves:
        lines.insert(0, 'import { writeFile } from "node:fs/promises";\n')
        lines.append(f'await writeFile("{call.saves}", answer.body);')
    elif call.method != "DELETE":
        lines.append("console.log(await answer.json());")
    return "\n".join(lines)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _python_value(value: Any) -> str:
    """As Python writes it: what JSON calls true is True."""
    return repr(value).replace("'", '"')


def _is_file(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("@")


def _form_value(value: Any) -> str:
    return _json(value) if not isinstance(value, str) else value


def pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)

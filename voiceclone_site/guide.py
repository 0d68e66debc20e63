"""The guide to the API: one page for each group of operations, with commands to copy. Made from the schema and its examples, so
that it cannot say anything else than they do; nobody has to be logged in to read it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

from voiceclone_site import snippets
from voiceclone_site.examples import FORM, JSON, METHODS, Example, examples, path_values
from voiceclone_site.messages import example_of
from voiceclone_site.snippets import Call
from voices.models import WebhookEvent

if TYPE_CHECKING:
    from voices.errors import Sentence

PREFIX = "/api/v1/"
GROUPS: dict[str, tuple[Sentence, Sentence]] = {
    "voices": (_("Voices"), _("Make a voice from a recording, watch it train, rename it, train it anew, delete it.")),
    "speech": (_("Speech"), _("Let a voice speak and hear it while it is being spoken.")),
    "jobs": (
        _("Jobs"),
        _("Long texts and many texts, spoken in the background; audio, subtitles and word times of each."),
    ),
    "webhooks": (
        _("Webhooks"),
        _("Be told when a voice is ready, a job has ended or little is left of a limit, instead of asking."),
    ),
    "usage": (_("Usage"), _("What has been spoken, and what it counts for.")),
    "quota": (_("Quota"), _("What is left of what you may use.")),
    "providers": (_("Providers"), _("All that can be chosen: models, languages, parameters, formats, limits.")),
    "tokens": (_("Tokens"), _("Make tokens for your programs, each for no more than it needs, and revoke them.")),
    "operate": (_("Operating"), _("For staff: plans, limits of single people, and caps of provider accounts.")),
    "me": (_("Me"), _("Whose token this is.")),
}
SAVES = {
    "speech": "weather.mp3",
    "jobs_audio": "story.wav",
    "jobs_subtitles_srt": "story.srt",
    "jobs_subtitles_vtt": "story.vtt",
    "voices_sample": "annie.wav",
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """Of the query. `choices`: values and their labels, where there are only some."""

    name: str
    about: str
    choices: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, ready to be shown."""

    name: str
    method: str
    path: str
    summary: str
    description: str
    parameters: list[Parameter]
    snippets: list[tuple[str, str]]
    answer: str


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent to a webhook, ready to be shown."""

    event: str
    about: str
    body: str


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    found = _by_group()
    groups = [(slug, *GROUPS[slug], found[slug]) for slug in GROUPS if slug in found]
    return render(request, "help/api.html", {"groups": groups, "base": f"{settings.PUBLIC_BASE_URL}{PREFIX}"})


@require_safe
def group(request: HttpRequest, slug: str) -> HttpResponse:
    found = _by_group()
    if slug not in found:
        raise Http404
    label, about = GROUPS[slug]
    others = [(each, GROUPS[each][0]) for each in GROUPS if each in found]
    shown: dict[str, Any] = {"slug": slug, "label": label, "about": about, "operations": found[slug], "others": others}
    if slug == "webhooks":
        shown["messages_sent"] = [_message(event) for event in WebhookEvent]
    return render(request, "help/api_group.html", shown)


def _message(event: WebhookEvent) -> Message:
    return Message(event.value, str(event.label), snippets.pretty(example_of(event)))


def _by_group() -> dict[str, list[Operation]]:
    """In the language that is active: the schema's sentences are translated while it is made."""
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    found: dict[str, list[Operation]] = {}
    for path, operations in schema["paths"].items():
        for method in METHODS:
            if method in operations:
                slug = path.removeprefix(PREFIX).partition("/")[0]
                found.setdefault(slug, []).append(_operation(method, path, operations[method]))
    return {slug: found[slug] for slug in GROUPS if slug in found}


def _operation(method: str, path: str, described: dict[str, Any]) -> Operation:
    name = described["operationId"]
    example = examples().get(name, Example())
    content = described.get("requestBody", {}).get("content", {})
    return Operation(
        name=name,
        method=method.upper(),
        path=path,
        summary=str(described["summary"]),
        description=_prose(str(described.get("description", ""))),
        parameters=[_parameter(each) for each in described.get("parameters", []) if each["in"] == "query"],
        snippets=list(_snippets(method, path, name, example, content)),
        answer=snippets.pretty(example.answer) if example.answer is not None else example.answer_text,
    )


def _parameter(described: dict[str, Any]) -> Parameter:
    """The schema lists choices in Markdown, beneath what it says of the parameter."""
    said, schema = str(described.get("description", "")), described["schema"]
    choices = _CHOICE.findall(said)
    about = _CHOICE.sub("", said).strip()
    kind = schema.get("format", schema.get("type", ""))
    return Parameter(name=described["name"], about=_prose(about or ("" if choices else kind)), choices=choices)


def _prose(text: str) -> str:
    """What stands between backticks as code."""
    parts = text.split("`")
    return format_html_join("", "{}", ((_CODE(part) if place % 2 else part,) for place, part in enumerate(parts)))


_CHOICE = re.compile(r"^\* `(.+?)` - (.+)$", re.MULTILINE)
_CODE = partial(format_html, "<code>{}</code>")


def _snippets(
    method: str, path: str, name: str, example: Example, content: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    filled = path.format(**path_values(path))
    query = f"?{example.query}" if example.query else ""
    call = Call(
        method=method.upper(),
        url=f"{settings.PUBLIC_BASE_URL}{filled}{query}",
        body=example.request,
        as_form=FORM in content,
        saves=SAVES.get(name, ""),
    )
    yield "curl", snippets.curl(call)
    if example.by_json is not None and JSON in content:
        yield "curl (JSON)", snippets.curl(Call(call.method, call.url, body=example.by_json))
    yield "Python", snippets.python(call)
    yield "JavaScript", snippets.javascript(call)

"""Who may import whom, and who may know a provider by name.

    voiceclone_site  ->  synthesis  ->  voices  ->  voices.providers  ->  requests, websocket, websockets

The rules are functions from sources to sentences, so that each is shown to bite on a small planted fault.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from voices.providers import registry

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("voiceclone_site", "synthesis", "voices")
SANDBOX = "voiceclone_site.sandbox"
PROVIDERS = "voices.providers"

# Module -> what it may see of the other floors. The longest name that fits decides.
BELOW: Mapping[str, tuple[str, ...]] = {
    "voiceclone_site": ("voiceclone_site", "synthesis", "voices"),
    SANDBOX: (SANDBOX,),
    "synthesis": ("synthesis", "voices"),
    "voices": ("voices",),
    PROVIDERS: (PROVIDERS,),
}
ONLY_USER = {
    "requests": "voices.providers.http",
    "websocket": "voices.providers.ws",
    "websockets": "voices.providers.aio",
}
# Of Django, providers see the marking of sentences for translation. The registry may read settings.
PROVIDERS_SEE_OF_DJANGO = ("django.utils",)
PROVIDER_NAMES = tuple({*registry.slugs(), "aliyun", "iflytek", "xfyun", "qiniu", "cosyvoice", "dashscope", "alibaba"})
MAY_NAME_PROVIDERS = ("voiceclone_site.settings", SANDBOX, PROVIDERS)

APPS = ("voices", "synthesis", "voiceclone_site.accounts")
# From the street down. On one floor only modules of a kind see each other (forms and parameter_forms), and all of "the rest".
WINGS = {
    "urls": 0,
    "apps": 0,
    "views": 1,
    "api": 1,
    "admin": 1,
    "tasks": 1,
    "management": 1,
    "templatetags": 1,
    "adapter": 1,
    "authentication": 1,
    "permissions": 1,
    "openapi": 1,
    "middleware": 1,
    "forms": 2,
    "serializers": 2,
    "services": 3,
    "models": 5,
    "errors": 6,
}
REST = 4
# What rows are built from lies beneath them without being on a floor of its own; only a circle would be wrong.
MODELS = 5


@dataclass(frozen=True)
class Import:
    module: str
    target: str
    line: int
    inside_function: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


# --- the rules -----------------------------------------------------------------------------------------------------------


def violations(sources: Mapping[str, str]) -> list[str]:
    """`sources` maps a dotted module name to its text."""
    imports = [found for module, text in sources.items() for found in _imports(module, text, known=sources.keys())]
    return [
        *_upward(imports),
        *_inside_functions([found for found in imports if "django.setup()" not in sources[found.module]]),
        *_second_users(imports),
        *_providers_that_see_the_site(imports),
        *_out_of_order(imports),
        *_circles(imports),
        *_names_of_providers(sources),
    ]


def _upward(imports: list[Import]) -> Iterator[str]:
    for found in imports:
        if _first(found.target) in PACKAGES:
            allowed = BELOW[_longest(found.module, BELOW)]
            ours = _longest(found.target, {SANDBOX: None}) if _under(found.target, SANDBOX) else found.target
            forbidden_sandbox = _under(ours, SANDBOX) and not _under(found.module, SANDBOX)
            if forbidden_sandbox or not any(_under(found.target, name) for name in allowed):
                yield f"{found}: that is not below it"
            if _sideways(found):
                yield f"{found}: providers do not know each other"


def _sideways(found: Import) -> bool:
    mine, theirs = _provider_of(found.module), _provider_of(found.target)
    return bool(mine and theirs and mine != theirs)


def _inside_functions(imports: list[Import]) -> Iterator[str]:
    # A program that starts Django itself is not asked: before it has, there are no models to import.
    for found in imports:
        if found.inside_function and _first(found.target) in PACKAGES:
            yield f"{found} inside a function: move it to the top, or what needs it to another floor"


def _second_users(imports: list[Import]) -> Iterator[str]:
    for found in imports:
        user = ONLY_USER.get(_first(found.target))
        if user and found.module != user:
            yield f"{found}: only {user} may"


def _providers_that_see_the_site(imports: list[Import]) -> Iterator[str]:
    for found in imports:
        if not _under(found.module, PROVIDERS) or _first(found.target) != "django":
            continue
        is_settings_in_registry = found.module == f"{PROVIDERS}.registry" and _under(found.target, "django.conf")
        if not is_settings_in_registry and not any(_under(found.target, name) for name in PROVIDERS_SEE_OF_DJANGO):
            yield f"{found}: providers know no ORM and no settings"


def _out_of_order(imports: list[Import]) -> Iterator[str]:
    for found in imports:
        app = next((app for app in APPS if _under(found.module, app) and _under(found.target, app)), None)
        if app is None or _under(found.module, PROVIDERS) or _under(found.target, PROVIDERS):
            continue
        mine, theirs = _wing(found.module, app), _wing(found.target, app)
        if mine is None or theirs is None or found.module == found.target:
            continue
        beneath_models = mine == MODELS and theirs == REST
        same_wing = mine == theirs and (mine == REST or _kind(found.module, app) == _kind(found.target, app))
        if theirs <= mine and not same_wing and not beneath_models:
            yield f"{found}: within {app} that is not below it"


def _circles(imports: list[Import]) -> Iterator[str]:
    graph: dict[str, set[str]] = {}
    for found in imports:
        if found.module != found.target:
            graph.setdefault(found.module, set()).add(found.target)
    done: set[str] = set()
    for start in sorted(graph):
        circle = _circle_from(start, graph, done, ())
        if circle:
            yield f"{' -> '.join(circle)}: that is a circle"


def _circle_from(
    module: str, graph: Mapping[str, set[str]], done: set[str], path: tuple[str, ...]
) -> tuple[str, ...] | None:
    if module in path:
        return (*path[path.index(module) :], module)
    if module in done:
        return None
    for target in sorted(graph.get(module, ())):
        circle = _circle_from(target, graph, done, (*path, module))
        if circle:
            return circle
    done.add(module)
    return None


def _names_of_providers(sources: Mapping[str, str]) -> Iterator[str]:
    pattern = re.compile("|".join(PROVIDER_NAMES), re.IGNORECASE)
    for module, text in sources.items():
        if any(_under(module, name) for name in MAY_NAME_PROVIDERS):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if named := pattern.search(line):
                yield f"{module}:{number} names the provider {named.group()!r}: say it in Traits"


# --- reading -------------------------------------------------------------------------------------------------------------


def _imports(module: str, text: str, *, known: Collection[str]) -> Iterator[Import]:
    for node, inside in _walk(ast.parse(text), False):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node, known)
            targets = [_target(base, alias.name, known) for alias in node.names]
        else:
            continue
        for target in dict.fromkeys(targets):
            yield Import(module=module, target=target, line=node.lineno, inside_function=inside)


def _walk(node: ast.AST, inside: bool) -> Iterator[tuple[ast.AST, bool]]:
    yield node, inside
    inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, inside)


def _absolute(module: str, node: ast.ImportFrom, known: Collection[str]) -> str:
    if not node.level:
        return node.module or ""
    package = module.split(".") if any(name.startswith(f"{module}.") for name in known) else module.split(".")[:-1]
    base = package[: len(package) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def _target(base: str, name: str, known: Collection[str]) -> str:
    return f"{base}.{name}" if f"{base}.{name}" in known or base in PACKAGES else base


def _first(name: str) -> str:
    return name.partition(".")[0]


def _under(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _longest(name: str, packages: Mapping[str, object]) -> str:
    return max((package for package in packages if _under(name, package)), key=len)


def _provider_of(name: str) -> str | None:
    parts = name.split(".")
    return parts[2] if name.startswith(f"{PROVIDERS}.") and parts[2] in PROVIDER_NAMES else None


def _kind(name: str, app: str) -> str:
    part = name.removeprefix(app).lstrip(".").partition(".")[0]
    return part if part in WINGS else part.rpartition("_")[2]


def _wing(name: str, app: str) -> int | None:
    kind = _kind(name, app)
    return WINGS.get(kind, REST) if kind else None


def tree() -> dict[str, str]:
    return {
        _dotted(path): path.read_text(encoding="utf-8")
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if "migrations" not in path.parts
    }


def _dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# --- the house ------------------------------------------------------------------------------------------------------------


def test_the_house_keeps_its_floors() -> None:
    found = violations(tree())
    assert not found, "\n" + "\n".join(found)


def test_no_template_and_no_script_names_a_provider() -> None:
    pages = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for folder in ("templates", "voiceclone_site/static")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".html", ".txt", ".js", ".css"} and ".min." not in path.name
    }
    assert list(_names_of_providers(pages)) == []


SOUND = {
    "voices.errors": "class PortalError(Exception): ...",
    "voices.durable": "from django.db import models",
    "voices.models": "from voices.durable import Row\nfrom voices.errors import PortalError",
    "voices.quota": "from voices import models",
    "voices.services": "from voices import quota\nfrom voices.providers import registry",
    "voices.forms": "from .services import create\nfrom voices.parameter_forms import fields",
    "voices.parameter_forms": "from voices.quota import hold",
    "voices.views": "import requests_toolbelt\nfrom .forms import VoiceForm",
    "voices.sample_views": "from voices.services import create",
    "voices.urls": "from voices import views\nfrom voices.sample_views import sample",
    "voices.providers.base": "from django.utils.translation import gettext_lazy",
    "voices.providers.http": "import requests",
    "voices.providers.ws": "import websocket\nfrom voices.providers.base import Speech",
    "voices.providers.registry": "from django.conf import settings",
    "voices.providers.aliyun": "from voices.providers.aliyun.auth import bearer",
    "voices.providers.aliyun.auth": "from voices.providers.http import HttpClient",
    "synthesis.models": "from voices.models import VoiceClone",
    "synthesis.services": "import av\ndef f():\n    import numpy\nfrom voices.services import create",
    "voiceclone_site.settings": "PROVIDERS = {'aliyun': {}}",
    "voiceclone_site.errors": "from synthesis import services\nfrom voices.errors import PortalError",
    "voiceclone_site.start": "import django\ndef main():\n    django.setup()\n    from voices import models",
    "voiceclone_site.sandbox": "",
    "voiceclone_site.sandbox.server": "from .aliyun import routes\nimport aiohttp",
    "voiceclone_site.sandbox.aliyun": "",
    "voiceclone_site.sandbox.aliyun.routes": "from .. import server_wire",
    "voiceclone_site.sandbox.server_wire": "'dashscope'",
}


def test_sound_sources_are_let_pass() -> None:
    assert violations(SOUND) == []


@pytest.mark.parametrize(
    ("module", "text", "complaint"),
    [
        # down only
        ("voices.quota", "from synthesis.models import SynthesisJob", "not below"),
        ("voices.quota", "import voiceclone_site.settings", "not below"),
        ("synthesis.models", "from voiceclone_site import errors", "not below"),
        ("voices.quota", "if TYPE_CHECKING:\n    from synthesis.models import SynthesisJob", "not below"),
        # no import inside a function
        ("voices.quota", "def f():\n    from voices.errors import PortalError", "inside a function"),
        ("voices.quota", "class A:\n    async def f(self):\n        import voices.errors", "inside a function"),
        # within an app
        ("voices.services", "from voices.forms import VoiceForm", "within voices"),
        ("voices.services", "from voices import tasks", "within voices"),
        ("voices.models", "from voices.services import create", "within voices"),
        ("voices.errors", "from voices.quota import hold", "within voices"),
        ("voices.forms", "from voices.views import page", "within voices"),
        ("voices.views", "from voices.api import endpoint", "within voices"),
        ("voices.quota", "from voices.services import create", "within voices"),
        ("voices.management.commands.tidy", "from voices.views import page", "within voices"),
        ("voiceclone_site.accounts.models", "from .services import issue", "within voiceclone_site.accounts"),
        ("voices.parameter_forms", "from voices.views import page", "within voices"),
        ("voices.parameter_forms", "from voices.forms import VoiceForm", "circle"),
        ("voices.durable", "from voices.models import VoiceClone", "circle"),
        # providers see nobody
        ("voices.providers.base", "from voices.models import VoiceClone", "not below"),
        ("voices.providers.base", "from django.conf import settings", "no ORM and no settings"),
        ("voices.providers.aliyun.auth", "from django.db import models", "no ORM and no settings"),
        ("voices.providers.iflytek.auth", "from voices.providers.aliyun.auth import bearer", "each other"),
        # one user each
        ("voices.quota", "import requests", "only voices.providers.http"),
        ("voices.providers.ws", "from requests.auth import AuthBase", "only voices.providers.http"),
        ("synthesis.services", "def f():\n    import websocket", "only voices.providers.ws"),
        ("voices.providers.ws", "from websockets.client import ClientProtocol", "only voices.providers.aio"),
        ("voiceclone_site.sandbox.server", "import requests", "only voices.providers.http"),
        # the sandbox stands apart
        ("voiceclone_site.sandbox.server", "from voices.providers.base import Traits", "not below"),
        ("voiceclone_site.sandbox.server", "import synthesis.audio", "not below"),
        ("voiceclone_site.sandbox.server", "from ..settings import DEBUG", "not below"),
        ("voiceclone_site.errors", "from voiceclone_site.sandbox import server", "not below"),
        ("voiceclone_site.errors", "from .sandbox.server import port", "not below"),
        # names
        ("voices.quota", "if provider == 'aliyun': ...", "names the provider"),
        ("voices.quota", "# CosyVoice wants this", "names the provider"),
        ("synthesis.services", "def speak_with_iflytek(): ...", "names the provider"),
        ("voiceclone_site.errors", "DASHSCOPE = 1", "names the provider"),
        ("voices.sample_views", "x = 'https://openai.qiniu.com'", "names the provider"),
    ],
)
def test_a_planted_fault_is_found(module: str, text: str, complaint: str) -> None:
    found = violations({**SOUND, module: text})
    assert any(complaint in said and said.startswith(module) for said in found), found

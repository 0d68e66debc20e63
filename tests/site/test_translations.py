"""Every sentence of the project is said in Chinese, too. After changing one:

python manage.py makemessages -l zh_Hans --add-location file --no-wrap -i .venv -i var -i tests
(fill in what is empty, settle what is marked fuzzy)
python manage.py compilemessages -l zh_Hans
"""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.conf import settings
from django.test import Client
from django.utils import translation
from django.utils.translation.template import templatize

from synthesis.models import SynthesisJob
from voiceclone_site.accounts.models import User
from voices.models import VoiceClone
from voices.providers import registry

CATALOGUE = settings.BASE_DIR / "voiceclone_site" / "locale" / "zh_Hans" / "LC_MESSAGES"
MARKS = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy"}
PACKAGES = ("voiceclone_site", "voices", "synthesis", "templates")

# What stays as it is in Chinese: names, formats, units, the other language's own name.
SAME_IN_CHINESE = re.compile(
    r"English|Alice|Annie|CosyVoice[\w .]*|Flash|Plus|API|WAV|MP3|M4A|WebM|OGG|FLAC|Opus|PCM|SSML|Markdown|AI|ID|URL|"
    r"Hz|kHz|dBFS|dB|MB|KB|https|localhost|pinyin|[\w.+-]+@[\w.-]+|[a-z0-9]+(?:[-_][a-z0-9]+)+|vcp_\w*"
)


def test_it_has_no_sentence_left_to_translate() -> None:
    assert [entry.said for entry in entries() if not entry.meant] == []


def test_it_has_no_guess_and_nothing_left_over() -> None:
    text = (CATALOGUE / "django.po").read_text(encoding="utf-8")
    assert ", fuzzy" not in text
    assert "#~" not in text


def test_it_is_compiled_from_what_it_says() -> None:
    assert {entry.said: entry.meant for entry in entries()} == compiled()


def test_it_holds_every_sentence_of_the_project() -> None:
    assert set(sentences()) - set(compiled()) == set()


def test_it_keeps_every_placeholder() -> None:
    placeholder = re.compile(r"\{\w*\}|%\(\w+\)s")
    for said, meant in compiled().items():
        assert set(placeholder.findall(said)) >= set(placeholder.findall(meant)), said


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/dashboard/",
        "/voices/",
        "/voices/new/",
        "/voices/stock/",
        "/voices/import/",
        "/help/errors/",
        "/voices/{voice}/",
        "/speak/",
        "/history/",
        "/history/{job}/",
        "/account/",
        "/account/tokens/",
        "/accounts/email/",
        "/nowhere/",
    ],
)
def test_it_shows_no_english_sentence_to_a_chinese_reader(alice: User, ready_voice: VoiceClone, address: str) -> None:
    job = SynthesisJob.objects.create(
        owner=alice,
        voice=ready_voice,
        provider=ready_voice.provider,
        model=ready_voice.model,
        mode=SynthesisJob.Mode.STREAM,
        state=SynthesisJob.State.FAILED,
        text="今天天气怎么样？",
        audio_format="wav",
        sample_rate=24000,
        characters_expected=15,
        error_sentence="The provider refused this text. Please change it and try again.",
        error_code="text_rejected",
    )
    page = chinese(alice).get(address.format(voice=ready_voice.pk, job=job.pk)).content.decode()
    assert re.search(r"[\u4e00-\u9fff]", page)
    assert [text for text in visible(page) if re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}", text)] == []


def test_it_says_every_setting_of_every_provider_in_chinese(db: None) -> None:
    with translation.override("zh-hans"):
        for slug in registry.slugs():
            traits = registry.traits(slug)
            for parameter in (*traits.speech, *traits.enrollment):
                for words in (parameter.label, parameter.help):
                    assert re.search(r"[\u4e00-\u9fff]", str(words)), f"{slug}: {words}"


@dataclass(frozen=True)
class Entry:
    said: str
    """The sentence in the source; of one with a plural, its singular."""
    meant: str


def entries() -> Iterator[Entry]:
    for block in (CATALOGUE / "django.po").read_text(encoding="utf-8").split("\n\n")[1:]:
        yield Entry(said=_quoted("msgid", block), meant=_quoted(r"msgstr(?:\[0\])?", block))


def _quoted(keyword: str, block: str) -> str:
    found = re.search(rf'^{keyword} ((?:".*"\n?)+)', block, re.MULTILINE)
    assert found, block
    return "".join(ast.literal_eval(line) for line in found[1].splitlines())


def compiled() -> dict[str, str]:
    """What Django reads."""
    with (CATALOGUE / "django.mo").open("rb") as file:
        found: dict[str | tuple[str, int], str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return {key if isinstance(key, str) else key[0]: meant for key, meant in found.items() if key}


def sentences() -> Iterator[str]:
    """What the sources hold for translation, read without the tools of GNU gettext: a bare machine has none."""
    for package in PACKAGES:
        for source in (settings.BASE_DIR / package).rglob("*"):
            if "static" in source.parts:
                continue
            if source.suffix == ".py":
                yield from _of_python(source.read_text(encoding="utf-8"))
            elif source.suffix in {".html", ".txt"}:
                yield from _of_template(source.read_text(encoding="utf-8"))


def _of_python(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        first = node.args[0]
        if name in MARKS and isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def _of_template(source: str) -> Iterator[str]:
    """Django turns a template into something that looks like Python, with the sentences as arguments of gettext calls."""
    literal = r"u?('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
    for found in re.finditer(rf"\b(?:_|n?gettext)\({literal}", templatize(source)):
        yield ast.literal_eval(found[1])


def chinese(person: User) -> Client:
    client = Client(headers={"accept-language": "zh-CN"})
    client.force_login(person)
    return client


def visible(page: str) -> list[str]:
    """What is read, and what a screen reader says; without what is marked as English or as code."""
    body = page.split("<body", 1)[1]
    body = re.sub(r"<(script|code|svg)\b.*?</\1>", " ", body, flags=re.DOTALL)
    body = re.sub(r"<(\w+)[^>]* lang=\"en\".*?</\1>", " ", body, flags=re.DOTALL)
    spoken = re.findall(r"(?:aria-label|title|placeholder|alt|data-words[\w-]*)=\"([^\"]*)\"", body)
    texts = [*re.split(r"<[^>]*>", body), *spoken]
    return [SAME_IN_CHINESE.sub("", text).strip() for text in texts if text.strip()]

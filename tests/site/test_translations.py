"""Every sentence of the project is said in Chinese, too. After changing one:

python manage.py makemessages -l zh_Hans --add-location file --no-wrap -i .venv -i var -i tests
(fill in what is empty, settle what is marked fuzzy)
python manage.py compilemessages -l zh_Hans
"""

from __future__ import annotations

import gettext
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import translation

from synthesis.models import SynthesisJob
from voiceclone_site.accounts.models import User
from voices.models import VoiceClone
from voices.providers import registry

CATALOGUE = settings.BASE_DIR / "voiceclone_site" / "locale" / "zh_Hans" / "LC_MESSAGES"
PACKAGES = ("voiceclone_site", "voices", "synthesis", "templates")

# What stays as it is in Chinese: names, formats, units, the other language's own name.
SAME_IN_CHINESE = re.compile(
    r"English|Alice|Annie|CosyVoice[\w .]*|Flash|Plus|API|WAV|MP3|M4A|WebM|OGG|FLAC|Opus|PCM|SSML|Markdown|AI|ID|URL|"
    r"Hz|kHz|dBFS|dB|MB|KB|https|localhost|pinyin|[\w.+-]+@[\w.-]+|[a-z0-9]+(?:[-_][a-z0-9]+)+|vcp_\w*"
)


def entries() -> Iterator[str]:
    yield from (CATALOGUE / "django.po").read_text(encoding="utf-8").split("\n\n")[1:]


def test_it_has_no_sentence_left_to_translate() -> None:
    unsaid = [entry for entry in entries() if re.search(r'^msgstr(\[0\])? ""$(?!\n")', entry, re.MULTILINE)]
    assert unsaid == []


def test_it_has_no_guess_and_nothing_left_over() -> None:
    assert [entry for entry in entries() if ", fuzzy" in entry or entry.startswith("#~")] == []


def test_it_is_compiled_from_what_it_says(tmp_path: Path) -> None:
    fresh = tmp_path / "django.mo"
    subprocess.run(["msgfmt", "--check-format", "-o", fresh, CATALOGUE / "django.po"], check=True)  # noqa: S607
    assert catalogue(fresh) == catalogue(CATALOGUE / "django.mo")


def test_it_holds_every_sentence_of_the_project(tmp_path: Path) -> None:
    """By asking xgettext as makemessages does, of copies: the tree is not touched."""
    known = set(catalogue(CATALOGUE / "django.mo"))
    missing = {sentence for sentence in sentences(tmp_path) if sentence not in known}
    assert missing == set()


def test_it_keeps_every_placeholder() -> None:
    placeholder = re.compile(r"\{\w*\}|%\(\w+\)s")
    for said, meant in catalogue(CATALOGUE / "django.mo").items():
        if said:
            assert set(placeholder.findall(said)) >= set(placeholder.findall(meant)), said


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/dashboard/",
        "/voices/",
        "/voices/new/",
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


def catalogue(path: Path) -> dict[str, str]:
    """Singular forms; a plural's key is its singular."""
    with path.open("rb") as file:
        found: dict[str | tuple[str, int], str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return {key if isinstance(key, str) else key[0]: said for key, said in found.items()}


def sentences(folder: Path) -> Iterator[str]:
    """What the sources hold for translation."""
    from django.utils.translation.template import templatize

    for package in PACKAGES:
        for source in (settings.BASE_DIR / package).rglob("*"):
            if source.suffix not in {".py", ".html", ".txt"} or "static" in source.parts:
                continue
            text = source.read_text(encoding="utf-8")
            if source.suffix != ".py":
                text = templatize(text, origin=str(source))
            copy = folder / f"{len(list(folder.iterdir()))}.py"
            copy.write_text(text, encoding="utf-8")
    found = subprocess.run(
        [  # noqa: S607
            "xgettext", "--language=Python", "--from-code=UTF-8", "--no-wrap", "--output=-",
            "--keyword=gettext_noop", "--keyword=gettext_lazy", "--keyword=ngettext_lazy:1,2",
            "--keyword=pgettext:1c,2", "--keyword=npgettext:1c,2,3", "--keyword=pgettext_lazy:1c,2",
            *sorted(folder.iterdir()),
        ],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    (folder / "all.po").write_text(found.stdout.replace("charset=CHARSET", "charset=UTF-8"), encoding="utf-8")
    for block in found.stdout.split("\n\n")[1:]:
        quoted = re.search(r"^msgid ((?:\".*\"\n?)+)", block, re.MULTILINE)
        if quoted:
            parts = re.findall(r'"(.*)"', quoted[1])
            yield "".join(parts).replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")


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

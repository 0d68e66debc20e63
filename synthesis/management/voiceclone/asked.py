"""What was typed: the verbs with their flags, and what the flags mean for a provider. Limits come from Traits."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from synthesis import audio
from synthesis.management.voiceclone.exits import Ended, Exit
from voices import options
from voices.errors import InvalidInput
from voices.providers import registry
from voices.providers.base import OptionValue, Parameter, ReadingText, Traits

DEFAULT_FORMAT = "mp3"
DEFAULT_SAMPLE_RATE = 16_000
POLL_SECONDS = 30.0


def add_verbs(parser: ArgumentParser) -> None:
    common = _common()
    verbs = parser.add_subparsers(dest="verb", required=True)
    train = verbs.add_parser("train", help="make a voice from a recording")
    steps = train.add_subparsers(dest="step", required=True)

    def step(name: str, help: str) -> ArgumentParser:
        return steps.add_parser(name, help=help, parents=[common])

    step("get-text", "the texts that may be read aloud for the recording: textId, segId, text")

    create = step("create", "make a training task; prints its id")
    _add_new_voice(create)

    upload = step("upload", "hand the recording over")
    upload.add_argument("--task-id", required=True)
    upload.add_argument("--name", help="for providers that take it together with the recording")
    _add_recording(upload)

    submit = step("submit", "begin the training, where handing over has not begun it")
    submit.add_argument("--task-id", required=True)

    status = step("status", "where the training stands; prints the res_id once there is one")
    status.add_argument("--task-id", required=True)

    quick = step("quick", "create, upload and submit in one; prints the task id, or with --wait the res_id")
    _add_new_voice(quick)
    _add_recording(quick)
    _add_consent(quick)
    _add_waiting(quick)

    synth = verbs.add_parser("synth", help="speak a text with a voice", parents=[common])
    _add_speech(synth)

    take = verbs.add_parser(
        "import", help="take over a voice that was trained elsewhere, into the portal's records", parents=[common]
    )
    take.add_argument("--res-id", required=True, help="the voice's id at the provider")
    take.add_argument("--name", required=True)
    take.add_argument("--engine", help="the model it was trained with; default: the provider's default model")
    take.add_argument("--language", help="default: the first language of the model")
    _add_consent(take)
    _add_waiting(take)


def _common() -> ArgumentParser:
    common = ArgumentParser(add_help=False)
    common.add_argument("--provider", help="default: CLI_PROVIDER in the settings")
    common.add_argument(
        "--user", metavar="EMAIL", help="work with this user's records in the portal, not with the account itself"
    )
    common.add_argument("--json", action="store_true", help="print one line of JSON")
    return common


def _add_new_voice(parser: ArgumentParser) -> None:
    parser.add_argument("--name", required=True)
    parser.add_argument("--sex", help="male or female, or 1 or 2")
    parser.add_argument("--engine", help="the model; default: the provider's default model")
    parser.add_argument("--language", help="default: the first language of the model")
    _add_settings(parser)


def _add_recording(parser: ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--audio", metavar="FILE", help="a recording on this machine")
    which.add_argument("--audio-url", metavar="URL", help="a recording that the provider fetches by itself")
    parser.add_argument("--text-id", help="of `train get-text`; default: the first")
    parser.add_argument("--seg-id", help="of `train get-text`; default: the first")


def _add_consent(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--consent",
        action="store_true",
        help="with --user: the speaker has agreed to the statement that the portal shows (needed)",
    )


def _add_waiting(parser: ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="poll until the training has ended")
    parser.add_argument("--every", type=float, default=POLL_SECONDS, metavar="SECONDS", help="default: %(default)g")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="default: what the provider is given")


def _add_speech(parser: ArgumentParser) -> None:
    parser.add_argument("text", nargs="?", help="default: --file, or what is piped in")
    parser.add_argument("--file", metavar="FILE", help="a text file in UTF-8")
    parser.add_argument("--res-id", required=True, help="of `train status`; with --user also the portal's own id")
    parser.add_argument("--engine", help="the model that the voice was trained with; default: the provider's")
    parser.add_argument("-o", "--output", metavar="FILE", help="default: output.mp3, or as --format; - is stdout")
    parser.add_argument("--format", help=f"mp3, pcm, speex or opus; default: {DEFAULT_FORMAT}")
    parser.add_argument("--sample-rate", type=int, help=f"8000, 16000 or 24000; default: {DEFAULT_SAMPLE_RATE}")
    for name in ("speed", "volume", "pitch"):
        parser.add_argument(f"--{name}", help="0 to 100, 50 is normal; for other providers in their own units")
    _add_settings(parser)


def _add_settings(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other parameter of the model, by its name in GET /api/v1/providers; may be given again",
    )


# --- what it means ---------------------------------------------------------------------------------------------------


def provider_of(asked: Mapping[str, Any]) -> Traits:
    """Raises Ended for a provider that there is not."""
    slug = asked["provider"] or settings.CLI_PROVIDER
    if slug not in registry.slugs():
        known = {"slug": slug, "known": ", ".join(registry.slugs())}
        raise Ended(Exit.USAGE, _("There is no provider %(slug)s. Choose one of: %(known)s.") % known)
    return registry.traits(slug)


def model_of(asked: Mapping[str, Any], traits: Traits) -> str:
    return str(asked["engine"] or traits.default_model)


def language_of(asked: Mapping[str, Any], traits: Traits) -> str:
    """Raises InvalidInput."""
    model = options.valid_model(traits, model_of(asked, traits))
    return options.valid_language(model, asked["language"]) if asked["language"] else model.languages[0].value


def enrollment_of(asked: Mapping[str, Any], traits: Traits) -> dict[str, OptionValue]:
    """Raises InvalidInput."""
    parameters = traits.enrollment_parameters(options.valid_model(traits, model_of(asked, traits)).slug)
    given: dict[str, Any] = _given(asked["set"])
    if asked["sex"]:
        given["sex"] = _counted(parameters, "sex", asked["sex"])
    return options.validated(parameters, given)


def speech_of(asked: Mapping[str, Any]) -> dict[str, str]:
    return _given(asked["set"]) | {name: asked[name] for name in ("speed", "volume", "pitch") if asked[name]}


def format_of(asked: Mapping[str, Any], traits: Traits) -> str:
    return asked["format"] or (DEFAULT_FORMAT if DEFAULT_FORMAT in traits.audio_formats else traits.default_format)


def sample_rate_of(asked: Mapping[str, Any], traits: Traits) -> int:
    if asked["sample_rate"]:
        return int(asked["sample_rate"])
    return DEFAULT_SAMPLE_RATE if DEFAULT_SAMPLE_RATE in traits.sample_rates else traits.default_sample_rate


def output_of(asked: Mapping[str, Any], audio_format: str) -> str:
    """Where the audio goes. Only for a format that has been checked."""
    return asked["output"] or f"output.{audio.extension(audio_format)}"


def text_of(asked: Mapping[str, Any]) -> str:
    """From the argument, the file or the pipe. Raises Ended."""
    if asked["text"] is not None and asked["file"]:
        raise Ended(Exit.USAGE, _("Give the text or --file, not both."))
    if asked["text"] is not None:
        return str(asked["text"])
    if asked["file"]:
        return _decoded(_read(asked["file"]))
    if sys.stdin.isatty():
        raise Ended(Exit.USAGE, _("Give a text, --file, or pipe a text in."))
    return _decoded(sys.stdin.buffer.read())


def reading_of(asked: Mapping[str, Any], texts: tuple[ReadingText, ...]) -> ReadingText | None:
    """The text that was read aloud: by both its numbers, or the first. None where the provider takes any speech. Raises Ended."""
    text_id, segment_id = asked["text_id"], asked["seg_id"]
    if not texts:
        if text_id or segment_id:
            raise Ended(Exit.USAGE, _("This provider takes any speech: leave --text-id and --seg-id out."))
        return None
    for text in texts:
        of_set, _dash, own = text.id.rpartition("-")
        if text_id in (None, of_set) and segment_id in (None, own):
            return text
    raise Ended(Exit.REFUSED, _("There is no such text to read. `train get-text` lists them with both their ids."))


def recording_of(asked: Mapping[str, Any]) -> bytes:
    return _read(asked["audio"])


def _read(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        why = error.strerror or str(error)
        raise Ended(Exit.USAGE, _("%(name)s cannot be read: %(why)s.") % {"name": name, "why": why}) from None


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Ended(Exit.USAGE, _("This text is not UTF-8. Convert it first, for example with iconv.")) from None


def _given(pairs: list[str]) -> dict[str, str]:
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise Ended(Exit.USAGE, _("--set takes NAME=VALUE, not %(pair)s.") % {"pair": wrong[0]})
    return dict(pair.split("=", 1) for pair in pairs)


def _counted(parameters: tuple[Parameter, ...], name: str, value: str) -> str:
    """A choice may also be given by its number, from 1."""
    parameter = next((each for each in parameters if each.name == name), None)
    if parameter is None:
        raise InvalidInput(fields={name: [_("This model is not told the speaker's sex. Leave --sex out.")]})
    number = int(value) if value.isdecimal() else 0
    return parameter.choices[number - 1].value if 1 <= number <= len(parameter.choices) else value

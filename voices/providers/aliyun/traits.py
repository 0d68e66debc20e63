"""What CosyVoice can do, model by model."""

from __future__ import annotations

import re

from django.utils.translation import gettext_lazy as _

from voices.providers.base import Choice, Pace, Parameter, SampleRules, Traits, VoiceModel

SLUG = "aliyun"

# The Unicode script Han, which is how the vendor's "Chinese, Kanji, Hanja" reads.
_HAN = re.compile(
    "[\u2e80-\u2fd5\u3005\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_TAG = re.compile(r"<[^>]*>")


def count_characters(text: str) -> int:
    """As the vendor bills: a Han character is 2, everything else 1, the tags of an SSML document nothing."""
    if is_ssml(text):
        text = _TAG.sub("", text)
    return len(text) + len(_HAN.findall(text))


def is_ssml(text: str) -> bool:
    return text.lstrip().startswith("<speak")


_ZH = Choice("zh", _("Chinese (Mandarin and dialects)"))
_EN = Choice("en", _("English"))
_EUROPE_AND_ASIA = (
    Choice("fr", _("French")),
    Choice("de", _("German")),
    Choice("ja", _("Japanese")),
    Choice("ko", _("Korean")),
    Choice("ru", _("Russian")),
)
_LATER = (
    Choice("pt", _("Portuguese")),
    Choice("th", _("Thai")),
    Choice("id", _("Indonesian")),
    Choice("vi", _("Vietnamese")),
)

_ENROLLMENT = (
    Parameter(
        name="max_prompt_audio_length",
        kind="number",
        label=_("Length used"),
        help=_("How many seconds of the recording are kept after it has been cleaned, 3 to 30."),
        default=10.0,
        minimum=3.0,
        maximum=30.0,
        step=0.5,
        advanced=True,
    ),
    Parameter(
        name="enable_preprocess",
        kind="boolean",
        label=_("Clean the recording"),
        help=_("Let the provider reduce noise and even out the volume. A clean recording sounds truer without it."),
        default=False,
        advanced=True,
    ),
)

_SPEECH = (
    Parameter(
        name="rate",
        kind="number",
        label=_("Speed"),
        help=_("1 is the natural speed; 0.5 is half, 2 is double."),
        default=1.0,
        minimum=0.5,
        maximum=2.0,
        step=0.05,
    ),
    Parameter(
        name="pitch",
        kind="number",
        label=_("Pitch"),
        help=_("1 is the voice's own pitch; lower is deeper."),
        default=1.0,
        minimum=0.5,
        maximum=2.0,
        step=0.05,
    ),
    Parameter(
        name="volume",
        kind="integer",
        label=_("Volume"),
        help=_("0 is silent, 100 is loudest."),
        default=50,
        minimum=0,
        maximum=100,
        step=1,
    ),
    Parameter(
        name="instruction",
        kind="text",
        label=_("Style"),
        help=_(
            "How to speak, in a sentence: an emotion, a role, a dialect. At most 100 characters, a Han character counts 2."
        ),
        max_length=100,
    ),
    Parameter(
        name="language_hints",
        kind="choice",
        label=_("Spoken language"),
        help=_(
            "Helps with numbers, abbreviations and rarer languages. It does not have to be the language of the recording."
        ),
        choices=(_ZH, _EN, *_EUROPE_AND_ASIA, *_LATER),
        advanced=True,
    ),
    Parameter(
        name="seed",
        kind="integer",
        label=_("Seed"),
        help=_("The same seed, text and settings give the same audio again."),
        default=0,
        minimum=0,
        maximum=65535,
        step=1,
        advanced=True,
    ),
    Parameter(
        name="word_timestamp_enabled",
        kind="boolean",
        label=_("Word times"),
        help=_("Note when each word is spoken, for subtitles."),
        default=False,
        advanced=True,
    ),
    Parameter(
        name="enable_ssml",
        kind="boolean",
        label=_("Text is SSML"),
        help=_("The text is one SSML document with <speak> as its root."),
        default=False,
        advanced=True,
    ),
    Parameter(
        name="enable_markdown_filter",
        kind="boolean",
        label=_("Leave out Markdown"),
        help=_("Do not read Markdown signs such as # and * aloud."),
        default=False,
        advanced=True,
    ),
    Parameter(
        name="pronunciation",
        kind="text",
        label=_("Pronunciation"),
        help=_("How to say certain words, as word=pinyin, one per line or separated by semicolons: 天气=tian1 qi4."),
        max_length=2000,
        advanced=True,
    ),
    Parameter(
        name="replace",
        kind="text",
        label=_("Say instead"),
        help=_("What to say in place of certain words, as word=replacement, one per line or separated by semicolons."),
        max_length=2000,
        advanced=True,
    ),
    Parameter(
        name="bit_rate",
        kind="integer",
        label=_("Bit rate"),
        help=_("Of Opus audio, in kbit/s; other formats ignore it."),
        default=32,
        minimum=6,
        maximum=510,
        step=1,
        advanced=True,
    ),
    Parameter(
        name="enable_aigc_tag",
        kind="boolean",
        label=_("Hidden AI mark"),
        help=_("Let the provider write a hidden mark into the file that says it was made by AI. Not for PCM."),
        default=False,
        advanced=True,
    ),
    Parameter(
        name="aigc_propagator",
        kind="text",
        label=_("Who spreads it"),
        help=_("Name or code written into the hidden AI mark as the one who spreads the audio."),
        max_length=100,
        advanced=True,
    ),
    Parameter(
        name="aigc_propagate_id",
        kind="text",
        label=_("Spreading number"),
        help=_("Number written into the hidden AI mark for this copy of the audio."),
        max_length=100,
        advanced=True,
    ),
)

_CLEANED = frozenset({"max_prompt_audio_length", "enable_preprocess"})
_BASIC = frozenset({"volume", "rate", "pitch"})
_SINCE_V2 = _BASIC | {"seed", "language_hints", "word_timestamp_enabled", "enable_ssml", "bit_rate"}
_HOT_FIX = frozenset({"pronunciation", "replace"})
_AIGC = frozenset({"enable_aigc_tag", "aigc_propagator", "aigc_propagate_id"})
_CONTAINERS = frozenset({"mp3", "wav", "pcm"})

# The sample's own language is a field of create_voice for these alone.
TAKES_SAMPLE_LANGUAGE = frozenset(
    {"cosyvoice-v3-flash", "cosyvoice-v3-plus", "cosyvoice-v3.5-flash", "cosyvoice-v3.5-plus"}
)

# The v3.5 prices are from third-party lists: the vendor's page named none when this was written (2026-11).
_MODELS = (
    VoiceModel(
        slug="cosyvoice-v3-flash",
        label=_("CosyVoice 3 Flash"),
        languages=(_ZH, _EN, *_EUROPE_AND_ASIA),
        enrollment=_CLEANED,
        speech=_SINCE_V2 | _HOT_FIX | _AIGC | {"instruction", "enable_markdown_filter"},
        audio_formats=_CONTAINERS | {"opus"},
        price=1.0,
    ),
    VoiceModel(
        slug="cosyvoice-v3-plus",
        label=_("CosyVoice 3 Plus"),
        languages=(_ZH, _EN, *_EUROPE_AND_ASIA),
        enrollment=frozenset(),
        speech=_SINCE_V2 | _HOT_FIX | _AIGC,
        audio_formats=_CONTAINERS | {"opus"},
        price=2.0,
    ),
    VoiceModel(
        slug="cosyvoice-v3.5-flash",
        label=_("CosyVoice 3.5 Flash (Beijing only)"),
        languages=(_ZH, _EN, *_EUROPE_AND_ASIA, *_LATER),
        enrollment=_CLEANED,
        speech=_SINCE_V2 | _HOT_FIX | {"instruction"},
        audio_formats=_CONTAINERS | {"opus"},
        price=0.8,
    ),
    VoiceModel(
        slug="cosyvoice-v3.5-plus",
        label=_("CosyVoice 3.5 Plus (Beijing only)"),
        languages=(_ZH, _EN, *_EUROPE_AND_ASIA, *_LATER),
        enrollment=_CLEANED,
        speech=_SINCE_V2 | _HOT_FIX | {"instruction"},
        audio_formats=_CONTAINERS | {"opus"},
        price=1.5,
    ),
    VoiceModel(
        slug="cosyvoice-v2",
        label=_("CosyVoice 2"),
        languages=(_ZH, _EN),
        enrollment=frozenset(),
        speech=_SINCE_V2 | _AIGC,
        audio_formats=_CONTAINERS | {"opus"},
        price=2.0,
    ),
    VoiceModel(
        slug="cosyvoice-v1",
        label=_("CosyVoice 1 (old)"),
        languages=(_ZH, _EN),
        enrollment=frozenset(),
        speech=_BASIC,
        audio_formats=_CONTAINERS,
        price=2.0,
    ),
)

TRAITS = Traits(
    slug=SLUG,
    label=_("Aliyun CosyVoice"),
    models=_MODELS,
    # For a Chinese user: hears 16 dialects besides Mandarin, takes a style instruction with a cloned voice, costs half of
    # v3-plus, and unlike v3.5 its price is the vendor's own and it is not bound to one region.
    default_model="cosyvoice-v3-flash",
    sample=SampleRules(
        min_seconds=10.0,
        max_seconds=60.0,
        advised_seconds=(10.0, 20.0),
        min_speech_seconds=5.0,
        min_sample_rate=16_000,
        max_bytes=10 * 1024 * 1024,
        # One entry of the vendor's error page asks for 24 kHz where its guide says 16; 24 satisfies both.
        prepared_sample_rate=24_000,
    ),
    enrollment=_ENROLLMENT,
    speech=_SPEECH,
    audio_formats=("mp3", "wav", "pcm", "opus"),
    sample_rates=(8_000, 16_000, 22_050, 24_000, 44_100, 48_000),
    default_format="mp3",
    default_sample_rate=24_000,
    max_characters=200_000,
    count_characters=count_characters,
    credential_names=("api_key",),
    endpoint_names=("http", "websocket"),
    voice_cap=1000,
    # 10 % under the vendor's 10/s and 3/s, which hold for the main account whatever the key.
    enrollment_rate=9.0,
    synthesis_rate=2.7,
    # The vendor's own loop waits 5 minutes; a review may take longer.
    training_deadline_seconds=30 * 60.0,
    voices_per_call=100,
    forgotten_after_days=365,
    needs_public_url=True,
    needs_reading_text=False,
    can_rename=False,
    can_retrain=True,
    can_delete=True,
    can_find_by_tag=True,
    can_synthesize=True,
    pace=Pace(parameter="rate", slowest=0.5, fastest=2.0, said=lambda factor: round(factor, 3)),
    instruction_parameter="instruction",
    language_parameter="language_hints",
    word_times={"word_timestamp_enabled": True},
)

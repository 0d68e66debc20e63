"""What iFlytek (讯飞) can do: two editions of cloned voices, and the stock voices of the super-humanoid service (超拟人合成)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from voices.providers.base import Choice, Pace, Parameter, SampleRules, StockVoice, Traits, VoiceModel

SLUG = "iflytek"

OMNI = "omni_v1"
STANDARD = "standard"
SUPER_HUMANOID = "super_humanoid"

EDITIONS: Mapping[str, str] = {OMNI: "x6_clone", STANDARD: "x5_clone"}
"""What is sent as `vcn` for a cloned voice: it must be that of the edition that the voice was trained with."""

LANGUAGE_IDS: Mapping[str, int] = {"zh": 0, "en": 1, "ja": 2, "ko": 3, "ru": 4, "fr": 5, "ar": 6, "es": 7, "yue": 8}
TRAINING_LANGUAGES: Mapping[str, str] = {"zh": "", "en": "en", "ja": "jp", "ko": "ko", "ru": "ru"}
"""`task/add.language`, of the standard edition alone. Left out for Chinese: the sources differ between nothing and `cn`."""

MAX_MESSAGE_BYTES = 6_000
"""UTF-8 of one message: its base64 may have 8000 bytes, which is 2000 Han characters."""
MAX_STREAM_BYTES = 65_536
"""UTF-8 of a whole text that is streamed in."""


def count_characters(text: str) -> int:
    """As the provider bills: every sign is 1, spaces and line ends too."""
    return len(text)


_ZH = Choice("zh", _("Chinese"))
_FIVE = (
    _ZH,
    Choice("en", _("English")),
    Choice("ja", _("Japanese")),
    Choice("ko", _("Korean")),
    Choice("ru", _("Russian")),
)
_NINE = (
    *_FIVE,
    Choice("fr", _("French")),
    Choice("ar", _("Arabic")),
    Choice("es", _("Spanish")),
    Choice("yue", _("Cantonese")),
)

_ENROLLMENT = (
    Parameter(
        name="sex",
        kind="choice",
        label=_("Voice of a"),
        help=_("Helps the training; it does not have to be right."),
        default="male",
        choices=(Choice("male", _("man")), Choice("female", _("woman"))),
    ),
    Parameter(
        name="age_group",
        kind="choice",
        label=_("Age"),
        help=_("Helps the training; it does not have to be right."),
        choices=(
            Choice("child", _("child")),
            Choice("youth", _("young")),
            Choice("middle_aged", _("middle-aged")),
            Choice("senior", _("older")),
        ),
    ),
    Parameter(
        name="denoise",
        kind="boolean",
        label=_("Remove noise"),
        help=_("Let the provider remove noise from the recording. A clean recording sounds truer without it."),
        default=False,
        advanced=True,
    ),
    Parameter(
        name="mos_ratio",
        kind="number",
        label=_("Least quality"),
        help=_("Refuse the recording when the provider's quality score is below this, 0.1 to 5. 0 takes any quality."),
        default=0.0,
        minimum=0.0,
        maximum=5.0,
        step=0.1,
        advanced=True,
    ),
)
_ENROLLMENT_NAMES = frozenset(parameter.name for parameter in _ENROLLMENT)

# The styles that imitate characters of films and books (sunwukong, peiqi and so on) are left out: they are others' property.
STYLES = (
    Choice("chat", _("chatting")),
    Choice("news", _("news")),
    Choice("explanation", _("explaining")),
    Choice("picture_book", _("picture book")),
    Choice("teach", _("teaching")),
    Choice("langsong", _("reciting")),
    Choice("novel", _("novel")),
    Choice("neutral", _("neutral")),
    Choice("happy", _("happy")),
    Choice("excited", _("excited")),
    Choice("glad", _("glad")),
    Choice("comfort", _("comforting")),
    Choice("encouraging", _("encouraging")),
    Choice("apologetic", _("apologetic")),
    Choice("sad", _("sad")),
    Choice("downhearted", _("downhearted")),
    Choice("curious", _("curious")),
    Choice("confused", _("confused")),
    Choice("regretful", _("regretful")),
    Choice("surprised", _("surprised")),
    Choice("cute", _("cute")),
    Choice("lovey-dovey", _("coy")),
    Choice("naughty", _("naughty")),
    Choice("afraid", _("afraid")),
    Choice("scornful", _("scornful")),
    Choice("angry", _("angry")),
    Choice("fearful", _("fearful")),
    Choice("disgusted", _("disgusted")),
    Choice("lyrical", _("lyrical")),
    Choice("wronged", _("wronged")),
    Choice("gentle", _("gentle")),
    Choice("weak", _("weak")),
    Choice("serious", _("serious")),
    Choice("tianjin", _("Tianjin dialect")),
    Choice("dongbei", _("North-Eastern dialect")),
    Choice("sichuan", _("Sichuan dialect")),
    Choice("hefei", _("Hefei dialect")),
)

_SPEECH = (
    Parameter(
        name="speed",
        kind="integer",
        label=_("Speed"),
        help=_("50 is the natural speed; 0 is half, 100 is double."),
        default=50,
        minimum=0,
        maximum=100,
        step=1,
    ),
    Parameter(
        name="pitch",
        kind="integer",
        label=_("Pitch"),
        help=_("50 is the voice's own pitch; lower is deeper."),
        default=50,
        minimum=0,
        maximum=100,
        step=1,
    ),
    Parameter(
        name="volume",
        kind="integer",
        label=_("Volume"),
        help=_("0 is silent, 50 is normal, 100 is double."),
        default=50,
        minimum=0,
        maximum=100,
        step=1,
    ),
    Parameter(
        name="language",
        kind="choice",
        label=_("Spoken language"),
        help=_("The language of the text. Without a choice, the one that the voice was made for."),
        choices=_NINE,
    ),
    Parameter(
        name="style",
        kind="choice",
        label=_("Style"),
        help=_("How to speak: a scene, a mood or a dialect. For Chinese text only."),
        choices=STYLES,
    ),
    Parameter(
        name="impact_factor",
        kind="integer",
        label=_("Likeness"),
        help=_("10 is closest to the original, 0 most natural for the style; -1 lets the provider choose."),
        default=-1,
        minimum=-1,
        maximum=10,
        step=1,
        advanced=True,
    ),
    Parameter(
        name="oral_level",
        kind="choice",
        label=_("Colloquial"),
        help=_("How much the text is spoken as in conversation. Only voices of the first generation (x4) heed it."),
        default="mid",
        choices=(Choice("high", _("much")), Choice("mid", _("somewhat")), Choice("low", _("little"))),
        advanced=True,
    ),
    Parameter(
        name="spark_assist",
        kind="boolean",
        label=_("Let a language model help"),
        help=_("A large language model makes the text colloquial. Only voices of the first generation (x4) heed it."),
        default=True,
        advanced=True,
    ),
    Parameter(
        name="stop_split",
        kind="boolean",
        label=_("Do not split sentences"),
        help=_(
            "The provider does not cut the text into sentences of its own. Only voices of the first generation (x4) heed it."
        ),
        default=False,
        advanced=True,
    ),
    Parameter(
        name="remain",
        kind="boolean",
        label=_("Keep the wording"),
        help=_("Leave out the filler words that were added. Only voices of the first generation (x4) heed it."),
        default=False,
        advanced=True,
    ),
    Parameter(
        name="reg",
        kind="choice",
        label=_("English words"),
        help=_("How English in the text is read."),
        default="0",
        choices=(
            Choice("0", _("automatic, as words in doubt")),
            Choice("1", _("spelled letter by letter")),
            Choice("2", _("automatic, as letters in doubt")),
        ),
        advanced=True,
    ),
    Parameter(
        name="rdn",
        kind="choice",
        label=_("Numbers"),
        help=_("How numbers in the text are read."),
        default="0",
        choices=(
            Choice("0", _("automatic")),
            Choice("1", _("as a value")),
            Choice("2", _("digit by digit")),
            Choice("3", _("digit by digit in doubt")),
        ),
        advanced=True,
    ),
    Parameter(
        name="rhy",
        kind="choice",
        label=_("Times of sounds"),
        help=_("Note when each character and each of its sounds is spoken. With punctuation for cloned voices only."),
        default="0",
        choices=(Choice("0", _("no")), Choice("1", _("yes")), Choice("3", _("yes, with punctuation"))),
        advanced=True,
    ),
    Parameter(
        name="bgs",
        kind="choice",
        label=_("Background sound"),
        help=_("A sound of the provider behind the voice. The second one for cloned voices only."),
        default="0",
        choices=(Choice("0", _("none")), Choice("1", _("first")), Choice("2", _("second"))),
        advanced=True,
    ),
    Parameter(
        name="watermask",
        kind="choice",
        label=_("Audible AI mark"),
        help=_("A sound that tells that this was made by AI. Some voices do not have it."),
        default="0",
        choices=(Choice("0", _("none")), Choice("1", _("at the start")), Choice("2", _("at the end"))),
        advanced=True,
    ),
    Parameter(
        name="implicit_watermark",
        kind="boolean",
        label=_("Hidden AI mark"),
        help=_("Let the provider write into the file that it was made by AI. For MP3 only."),
        default=False,
        advanced=True,
    ),
    Parameter(
        name="channels",
        kind="choice",
        label=_("Channels"),
        help=_("1 is mono, 2 is stereo. The provider's newer page names mono alone. Not for PCM."),
        default="1",
        choices=(Choice("1", _("mono")), Choice("2", _("stereo"))),
        advanced=True,
    ),
    Parameter(
        name="bit_depth",
        kind="choice",
        label=_("Bits"),
        help=_("Bits of each sample. The provider's newer page names 16 alone. Not for PCM."),
        default="16",
        choices=(Choice("16", _("16 bit")), Choice("8", _("8 bit"))),
        advanced=True,
    ),
    Parameter(
        name="frame_size",
        kind="integer",
        label=_("Frame size"),
        help=_("Bytes of a frame of audio, as the provider's page calls it; 0 leaves it to the provider."),
        default=0,
        minimum=0,
        maximum=1024,
        step=1,
        advanced=True,
    ),
)

_BASIC = frozenset({"speed", "pitch", "volume", "reg", "rdn", "rhy", "bgs"})
_ORAL = frozenset({"oral_level", "spark_assist", "stop_split", "remain"})
_FORMATS = frozenset({"mp3", "wav", "pcm"})

# Prices are contract values that no page names; one of a public price list (2026-10) stands in for all.
_MODELS = (
    VoiceModel(
        slug=OMNI,
        label=_("Multi-style voice"),
        # Trained once for all of them; what is chosen is what the voice speaks unless told otherwise.
        languages=_NINE,
        enrollment=_ENROLLMENT_NAMES,
        speech=_BASIC | {"language", "style", "impact_factor"},
        audio_formats=_FORMATS,
        price=3.0,
    ),
    VoiceModel(
        slug=STANDARD,
        label=_("Standard voice (one language)"),
        languages=_FIVE,
        enrollment=_ENROLLMENT_NAMES,
        speech=_BASIC,
        audio_formats=_FORMATS,
        price=3.0,
    ),
    VoiceModel(
        slug=SUPER_HUMANOID,
        label=_("Super-humanoid speech"),
        languages=(_ZH, Choice("en", _("English"))),
        enrollment=frozenset(),
        speech=_BASIC | _ORAL | {"watermask", "implicit_watermark", "channels", "bit_depth", "frame_size"},
        audio_formats=_FORMATS,
        price=3.0,
        stock_only=True,
        max_characters=20_000,
        max_text_bytes=MAX_STREAM_BYTES,
    ),
)


def _stock(remote_id: str, label: str, language: str = "zh") -> StockVoice:
    return StockVoice(remote_id=remote_id, label=label, model=SUPER_HUMANOID, language=language)


# Names carry both languages: a row keeps the one it was made with. The first five are free on a new application (2026-10), the x4
# voices heed the colloquial parameters; of the rest, a choice that imitates nobody. Which are enabled is a matter of the contract.
STOCK_VOICES = (
    _stock("x5_lingxiaoxuan_flow", "聆小璇 Lingxiaoxuan · 女 F · 助手 assistant"),
    _stock("x5_lingfeiyi_flow", "聆飞逸 Lingfeiyi · 男 M · 助手 assistant"),
    _stock("x5_lingxiaoyue_flow", "聆小玥 Lingxiaoyue · 女 F · 助手 assistant"),
    _stock("x5_lingyuzhao_flow", "聆玉昭 Lingyuzhao · 女 F · 聊天 chat"),
    _stock("x5_lingyuyan_flow", "聆玉言 Lingyuyan · 女 F · 聊天 chat"),
    _stock("x4_lingfeiyi_oral", "聆飞逸 Lingfeiyi · 男 M · 口语 colloquial"),
    _stock("x4_lingxiaoxuan_oral", "聆小璇 Lingxiaoxuan · 女 F · 口语 colloquial"),
    _stock("x4_zijin_oral", "子津 Zijin · 男 M · 天津话 Tianjin"),
    _stock("x4_ziyang_oral", "子阳 Ziyang · 男 M · 东北话 North-Eastern"),
    _stock("x5_lingxiaotang_flow", "聆小糖 Lingxiaotang · 女 F · 助手 assistant"),
    _stock("x6_lingfeiyi_pro", "聆飞逸 Lingfeiyi · 男 M · 聊天 chat (x6)"),
    _stock("x6_lingxiaoxuan_pro", "聆小璇 Lingxiaoxuan · 女 F · 聊天 chat (x6)"),
    _stock("x6_lingxiaoyue_pro", "聆小玥 Lingxiaoyue · 女 F · 聊天 chat (x6)"),
    _stock("x6_lingyuyan_pro", "聆玉言 Lingyuyan · 女 F · 聊天 chat (x6)"),
    _stock("x6_lingyouyou_pro", "聆佑佑 Lingyouyou · 童 C · 聊天 chat"),
    _stock("x6_pangbainan1_pro", "旁白男声 Narrator · 男 M · 旁白 narration"),
    _stock("x6_pangbainv1_pro", "旁白女声 Narrator · 女 F · 旁白 narration"),
    _stock("x6_lingfeihan_pro", "聆飞瀚 Lingfeihan · 男 M · 纪录片 documentary"),
    _stock("x6_lingfeihao_pro", "聆飞皓 Lingfeihao · 男 M · 广告 advertising"),
    _stock("x6_lingfeibo_pro", "聆飞博 Lingfeibo · 男 M · 新闻 news"),
    _stock("x6_lingyufei_pro", "聆玉菲 Lingyufei · 女 F · 新闻 news"),
    _stock("x6_lingxiaoshan_pro", "聆小珊 Lingxiaoshan · 女 F · 新闻 news"),
    _stock("x6_lingyuaner_pro", "聆园儿 Lingyuaner · 女 F · 绘本 picture books"),
    _stock("x6_lingxiaozhen_pro", "聆小臻 Lingxiaozhen · 女 F · 直播 live selling"),
    _stock("x6_jingqudaolannvsheng_mini", "景区导览 Guide · 女 F · 导览 tour guide"),
    _stock("x6_wenrounansheng_mini", "温柔男声 Gentle · 男 M · 客服 customer service"),
    _stock("x5_EnUs_Grant_flow", "Grant · 美式英语 US English", language="en"),
    _stock("x5_EnUs_Lila_flow", "Lila · 美式英语 US English", language="en"),
)

TRAITS = Traits(
    slug=SLUG,
    label=_("iFlytek"),
    models=_MODELS,
    default_model=OMNI,
    sample=SampleRules(
        # The provider's own sources say 3 to 60 s, at most 40 s, and 20 to 40 s (2026-10): 5 to 40 s passes all that refuse.
        min_seconds=5.0,
        max_seconds=40.0,
        advised_seconds=(8.0, 40.0),
        min_speech_seconds=3.0,
        # All its sources ask for 24 kHz or more. Less could be filled up to pass, but not to hold what the training listens for.
        min_sample_rate=24_000,
        max_bytes=3 * 1024 * 1024,
        prepared_sample_rate=24_000,
    ),
    enrollment=_ENROLLMENT,
    speech=_SPEECH,
    # Opus and Speex exist at the provider, but as bare packets whose boundaries it does not publish: no player could play them.
    audio_formats=("mp3", "wav", "pcm"),
    sample_rates=(8_000, 16_000, 24_000),
    default_format="mp3",
    default_sample_rate=24_000,
    max_characters=2_000,
    max_text_bytes=MAX_MESSAGE_BYTES,
    count_characters=count_characters,
    credential_names=("app_id", "api_key", "api_secret"),
    endpoint_names=("token", "train", "clone", "tts"),
    # Trainings, their parallel number and sessions are contract values that cannot be asked for: the operator sets these.
    voice_cap=100,
    enrollment_rate=2.0,
    synthesis_rate=1.0,
    # It takes 2 to 10 minutes; a training that was paid is not given up early.
    training_deadline_seconds=60 * 60.0,
    needs_public_url=False,
    needs_reading_text=True,
    can_rename=False,
    can_retrain=False,
    can_delete=False,
    can_find_by_tag=False,
    can_synthesize=True,
    trains_in_two_steps=True,
    trains_idempotently=False,
    stock_voices=STOCK_VOICES,
    pace=Pace(parameter="speed", slowest=0.5, fastest=2.0, said=lambda factor: round(50 + 50 * math.log2(factor))),
    language_parameter="language",
    word_times={"rhy": "1"},
    delete_note=_(
        "iFlytek offers no way to delete a trained voice. The voice and its recordings are deleted here; "
        "at iFlytek it stays until their support removes it."
    ),
)

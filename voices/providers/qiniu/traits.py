"""What Qiniu can do with a clone: everything but speak."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from voices.providers.base import Choice, Parameter, SampleRules, Traits, VoiceModel

SLUG = "qiniu"
MODEL_ID = "QN_ACV"
FREE, PRO = "free", "pro"
# What a place is made with when nothing else is said (vendor's page since 2026-05-22).
DEFAULT_LANGUAGE, DEFAULT_TIER = "zh", FREE

FREE_LANGUAGES = (Choice("zh", _("Chinese")), Choice("en", _("English")))
_PRO_LANGUAGES = (
    Choice("ja", _("Japanese")),
    Choice("ko", _("Korean")),
    Choice("es", _("Spanish")),
    Choice("pt", _("Portuguese")),
    Choice("id", _("Indonesian")),
    Choice("de", _("German")),
    Choice("fr", _("French")),
    Choice("ar", _("Arabic")),
    Choice("hi", _("Hindi")),
    Choice("it", _("Italian")),
    Choice("tr", _("Turkish")),
    Choice("yue", _("Cantonese")),
)

_TIER = Parameter(
    name="tier",
    kind="choice",
    label=_("Tier"),
    help=_(
        "A paid place knows more languages than Chinese and English, uses up one paid training each time it is trained, "
        "and can never be deleted at the provider."
    ),
    default=DEFAULT_TIER,
    choices=(Choice(FREE, _("Free")), Choice(PRO, _("Paid (pro)"))),
    advanced=True,
)

TRAITS = Traits(
    slug=SLUG,
    label=_("Qiniu LinX"),
    models=(
        VoiceModel(
            slug=MODEL_ID,
            label=_("Qiniu voice clone"),
            languages=(*FREE_LANGUAGES, *_PRO_LANGUAGES),
            enrollment=frozenset({"tier"}),
            speech=frozenset(),
            audio_formats=frozenset(),
            price=0.0,
        ),
    ),
    default_model=MODEL_ID,
    sample=SampleRules(
        # The vendor advises 10 to 60 s and states no hard limit, format or size; its sibling call takes WAV up to 10 MB.
        min_seconds=10.0,
        max_seconds=60.0,
        advised_seconds=(10.0, 60.0),
        min_speech_seconds=5.0,
        min_sample_rate=16_000,
        max_bytes=10 * 1024 * 1024,
        prepared_sample_rate=24_000,
    ),
    enrollment=(_TIER,),
    speech=(),
    audio_formats=(),
    sample_rates=(),
    default_format="",
    default_sample_rate=0,
    max_characters=0,
    count_characters=len,
    credential_names=("api_key",),
    endpoint_names=("http",),
    # No number of places, trainings or calls is published: small ones, which an operator may raise on the account.
    voice_cap=20,
    enrollment_rate=1.0,
    synthesis_rate=1.0,
    training_deadline_seconds=30 * 60.0,
    voices_per_call=1000,
    needs_public_url=True,
    needs_reading_text=False,
    can_rename=True,
    can_retrain=True,
    can_delete=True,
    can_find_by_tag=False,
    can_synthesize=False,
    trains_in_two_steps=True,
    trains_idempotently=False,
    max_name_length=20,
    speech_note=_(
        "Qiniu publishes no way to speak any text with a cloned voice. The demo that Qiniu makes of it can be heard here."
    ),
    delete_note=_("A paid place stays at Qiniu: it can be removed from here, but Qiniu never deletes it."),
)

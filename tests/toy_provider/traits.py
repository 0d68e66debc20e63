"""What the toy can do."""

from __future__ import annotations

from voices.providers.base import Choice, Parameter, SampleRules, Traits, VoiceModel

SLUG = "toy"
SAMPLE_RATE = 16_000

TRAITS = Traits(
    slug=SLUG,
    label="Toy Voices",
    models=(
        VoiceModel(
            slug="whistle-1",
            label="Whistle",
            languages=(Choice("en", "English"), Choice("zh", "Chinese")),
            enrollment=frozenset({"mood"}),
            speech=frozenset({"tempo"}),
            audio_formats=frozenset({"pcm"}),
            price=0.5,
        ),
    ),
    default_model="whistle-1",
    sample=SampleRules(
        min_seconds=5.0,
        max_seconds=30.0,
        advised_seconds=(8.0, 15.0),
        min_speech_seconds=3.0,
        min_sample_rate=16_000,
        max_bytes=5 * 1024 * 1024,
        prepared_sample_rate=16_000,
    ),
    enrollment=(
        Parameter(
            name="mood",
            kind="choice",
            label="Mood",
            help="How it whistles.",
            choices=(Choice("gay", "gay"), Choice("grave", "grave")),
        ),
    ),
    speech=(
        Parameter(
            name="tempo", kind="integer", label="Tempo", help="Beats.", default=60, minimum=40, maximum=200, step=1
        ),
    ),
    audio_formats=("pcm",),
    sample_rates=(SAMPLE_RATE,),
    default_format="pcm",
    default_sample_rate=SAMPLE_RATE,
    max_characters=100,
    count_characters=len,
    credential_names=("key",),
    endpoint_names=("http", "ws"),
    voice_cap=5,
    enrollment_rate=1000.0,
    synthesis_rate=1000.0,
    training_deadline_seconds=600.0,
    needs_public_url=False,
    needs_reading_text=False,
    can_rename=False,
    can_retrain=True,
    can_delete=True,
    can_find_by_tag=True,
    can_synthesize=True,
)

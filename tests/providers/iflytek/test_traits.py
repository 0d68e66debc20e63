"""What the forms, the API and the floors above are told about this provider."""

from __future__ import annotations

import pytest

from voices import options
from voices.errors import InvalidInput
from voices.providers import registry

TRAITS = registry.traits("iflytek")


def test_it_counts_every_sign_once() -> None:
    assert TRAITS.count_characters("你好, a\n😀") == 7


@pytest.mark.parametrize(
    ("model", "limits"),
    [("omni_v1", (2000, 6000)), ("standard", (2000, 6000)), ("super_humanoid", (20_000, 65_536))],
)
def test_every_model_takes_as_much_text_as_its_service(model: str, limits: tuple[int, int]) -> None:
    assert TRAITS.text_limits(model) == limits


def test_a_stock_voice_is_of_the_model_that_nobody_trains() -> None:
    assert {voice.model for voice in TRAITS.stock_voices} == {"super_humanoid"}
    with pytest.raises(InvalidInput):
        options.valid_model(TRAITS, "super_humanoid")
    assert options.valid_model(TRAITS, "omni_v1").slug == "omni_v1"


def test_the_stock_voices_that_are_free_come_first_and_none_comes_twice() -> None:
    ids = [voice.remote_id for voice in TRAITS.stock_voices]
    assert ids[:5] == [f"x5_ling{name}_flow" for name in ("xiaoxuan", "feiyi", "xiaoyue", "yuzhao", "yuyan")]
    assert len(ids) == len(set(ids))
    languages = {choice.value for choice in TRAITS.model("super_humanoid").languages}
    assert {voice.language for voice in TRAITS.stock_voices} <= languages
    assert all(len(str(voice.label)) <= 60 for voice in TRAITS.stock_voices)


def test_nobody_elses_characters_are_offered_as_a_style() -> None:
    (style,) = (parameter for parameter in TRAITS.speech if parameter.name == "style")
    offered = {choice.value for choice in style.choices}
    imitations = {"sunwukong", "lindaiyu", "labixiaoxin", "xionger", "peiqi", "zhugeliang"}
    assert not offered & imitations
    assert len(offered) == 37


@pytest.mark.parametrize("name", ["speed", "volume", "pitch"])
@pytest.mark.parametrize("value", [-1, 101])
def test_what_is_out_of_its_range_is_refused_at_the_edge(name: str, value: int) -> None:
    with pytest.raises(InvalidInput):
        options.validated(TRAITS.speech_parameters("omni_v1"), {name: value})


def test_the_portal_is_told_what_cannot_be_done() -> None:
    abilities = (TRAITS.can_delete, TRAITS.can_rename, TRAITS.can_retrain, TRAITS.can_find_by_tag)
    assert not any((*abilities, TRAITS.trains_idempotently, TRAITS.needs_public_url))
    assert TRAITS.needs_reading_text
    assert str(TRAITS.delete_note)

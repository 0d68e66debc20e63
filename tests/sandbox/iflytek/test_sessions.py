"""One session per connection: text in pieces, limits on time, what is billed, and what comes after the end."""

from __future__ import annotations

import pytest

from voiceclone_site.sandbox.remote import Sandbox

from .wire import OWNER, STRANGER, TEXT, message, spoken, talk, trained

PIECES = ["今天天气", "怎么样？我们一起", "去公园吧。"]


@pytest.fixture
def voice(sandbox: Sandbox) -> str:
    return trained(sandbox)


def test_it_collects_text_and_says_the_same_as_in_one_piece(sandbox: Sandbox, voice: str) -> None:
    whole = spoken(sandbox.iflytek_clone, message(res_id=voice, rhy=1))
    with talk(sandbox.iflytek_clone) as line:
        for number, piece in enumerate(PIECES):
            status = 0 if number == 0 else 1
            line.send(message(piece, res_id=voice, rhy=1, status=status, seq=number))
        line.send(message("", res_id=voice, rhy=1, status=2, seq=3))
        heard = line.hear()
    assert heard.track == whole.track
    assert len(heard.audio) == len(whole.audio)


def test_it_begins_with_the_eleventh_character(sandbox: Sandbox) -> None:
    with talk(sandbox.iflytek_tts) as line:
        line.send(message("你好。谢谢。再见。", status=0))
        assert line.hear(frames=1).payloads == []
        line.send(message("早。", status=1, seq=1))
        assert line.hear(frames=1).statuses == [1]
        line.send(message("", status=2, seq=2))
        assert line.hear().statuses[-1] == 2


def test_it_waits_14_seconds_for_the_end_of_a_text(sandbox: Sandbox) -> None:
    sandbox.configure(iflytek={"no_data_seconds": 0.2, "idle_seconds": 0.2})
    with talk(sandbox.iflytek_tts) as line:
        line.send(message("你好", status=0))
        assert line.hear().error == (26005, "No active up data within 200ms, task failed")
        assert line.hear(to_the_close=True).close == (1000, "time out")


def test_it_closes_an_idle_connection_without_a_word(sandbox: Sandbox) -> None:
    sandbox.configure(iflytek={"idle_seconds": 0.2})
    with talk(sandbox.iflytek_tts) as line:
        heard = line.hear(to_the_close=True)
    assert (heard.frames, heard.close) == ([], (1000, "time out"))


def test_it_leaves_the_connection_open_after_the_last_frame(sandbox: Sandbox) -> None:
    with talk(sandbox.iflytek_tts) as line:
        line.send(message())
        assert line.hear().statuses[-1] == 2
        line.send(message())
        assert line.hear().error == (26016, "intput channel is closed")


def test_it_ends_a_session_that_lasts_too_long(sandbox: Sandbox) -> None:
    sandbox.configure(iflytek={"session_seconds": -1})
    with talk(sandbox.iflytek_tts) as line:
        line.send(message())
        heard = line.hear(to_the_close=True)
    assert heard.error == (10114, "session timeout")
    assert heard.close == (1000, "session timeout")


def test_it_takes_64_kb_in_a_session(sandbox: Sandbox) -> None:
    with talk(sandbox.iflytek_tts) as line:
        # one long sentence without an end: nothing is spoken before the limit
        for number in range(11):
            line.send(message("好" * 2000, status=min(number, 1), seq=number))
        assert line.hear().error == (10222, "context deadline exceeded")


def test_it_makes_session_ids_of_the_vendors_shape(sandbox: Sandbox) -> None:
    sids = {spoken(sandbox.iflytek_tts, message("好")).frames[0]["header"]["sid"] for _ in range(2)}
    assert len(sids) == 2
    for sid in sids:
        assert len(sid) == 32
        assert (sid[:3], sid[11:14], sid[-1]) == ("aso", "@dx", "2")


def test_it_counts_every_character_once(sandbox: Sandbox, voice: str) -> None:
    text = "你好， world!\n2026年。"
    spoken(sandbox.iflytek_clone, message(text, res_id=voice))
    assert sandbox.ledger.characters("iflytek-1") == len(text)
    spoken(sandbox.iflytek_tts, message(text, account=STRANGER), STRANGER)
    assert sandbox.ledger.characters("iflytek-2") == len(text)


def test_it_bills_nothing_that_it_refused(sandbox: Sandbox) -> None:
    spoken(sandbox.iflytek_tts, message(vcn="nobody"))
    spoken(sandbox.iflytek_tts, message(audio={"encoding": "speex"}))
    assert sandbox.ledger.characters("iflytek-1") == 0


def test_it_runs_out_of_characters(sandbox: Sandbox) -> None:
    sandbox.configure(iflytek={"characters": len(TEXT)})
    assert spoken(sandbox.iflytek_tts, message()).statuses[-1] == 2
    said = spoken(sandbox.iflytek_tts, message()).error
    assert said == (11200, "LiccCheck failed, unauthenticated, err: licc limit")
    assert spoken(sandbox.iflytek_tts, message(account=STRANGER), STRANGER).statuses[-1] == 2


def test_it_runs_out_of_calls_for_the_day(sandbox: Sandbox) -> None:
    sandbox.configure(iflytek={"daily_calls": 1})
    spoken(sandbox.iflytek_tts, message("好"))
    assert spoken(sandbox.iflytek_tts, message("好")).error == (11201, "auth no enough license")


def test_it_speaks_to_so_many_at_once(sandbox: Sandbox) -> None:
    sandbox.configure(iflytek={"concurrent": 1})
    with talk(sandbox.iflytek_tts) as first:
        first.send(message("你好", status=0))
        first.hear(frames=1)
        assert spoken(sandbox.iflytek_tts, message()).error == (10010, "service license not enough")
        first.send(message("", status=2, seq=1))
        assert first.hear().statuses[-1] == 2
        assert spoken(sandbox.iflytek_tts, message("好")).statuses[-1] == 2


def test_it_keeps_what_was_said_in_the_ledger(sandbox: Sandbox, voice: str) -> None:
    spoken(sandbox.iflytek_clone, message(res_id=voice))
    (asked,) = sandbox.ledger.calls("ifly:clone", account="iflytek-1")
    assert asked.body["header"]["app_id"] == OWNER.app_id
    answers = sandbox.ledger.answers("ifly:clone")
    assert {answer.voice_id for answer in answers if answer.characters} == {voice}

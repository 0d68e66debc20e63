"""A listener who takes nothing in is taken to have left: nobody is spoken to for ever, and no job hangs."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import closing

import pytest

from synthesis.models import SynthesisJob
from tests.cast import token_of
from tests.front import Portal
from tests.processes.eventually import eventually
from tests.synthesis.test_relay import request
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voiceclone_site.speech import door
from voices import books
from voices.models import VoiceClone

State = SynthesisJob.State
STORY = "从前有一座山。山上有一座庙。庙里有一个老和尚。他在讲一个故事。故事讲的是什么呢？"


def test_who_reads_nothing_is_taken_to_have_left(
    portal: Portal, alice: User, ready_voice: VoiceClone, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "PATIENCE_WITH_A_READER", 0.5)
    sandbox.configure(speed=1000)
    path = f"/v1/text-to-speech/{ready_voice.pk}?output_format=wav_48000"
    body = json.dumps({"text": STORY * 14}).encode()
    with closing(socket.socket()) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", portal.port))
        deaf.sendall(request(path, token_of(alice), body))
        ended = SynthesisJob.objects.exclude(state=State.RUNNING)
        eventually(ended.exists, seconds=30, what="the job of who reads nothing")
        portal.until_quiet()
    job = SynthesisJob.objects.get()
    assert (job.state, job.error_code) == (State.CANCELLED, "client_left")
    assert 0 < job.characters <= job.characters_expected
    assert list(books.discrepancies()) == []


def test_its_last_words_are_not_waited_for_for_ever_either() -> None:
    async def send_twice() -> bool:
        patience = door._Patience(0.01)
        async with asyncio.timeout(5) as all_of_it:
            for _words in range(2):
                with pytest.raises(TimeoutError), patience:
                    await asyncio.Event().wait()
        return all_of_it.expired()

    assert not asyncio.run(send_twice())

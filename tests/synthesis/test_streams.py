"""Many who listen at once, and everything that goes wrong between a provider, the relay and them: nothing is left behind, every row
says what happened, and what is counted is what was heard."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db.models import Sum
from django.utils import timezone
from pytest_django import Settings

from synthesis.models import SynthesisJob
from synthesis.relay import Voice
from tests.benchmarks.upstream import audio_of
from tests.cast import token_of
from tests.clockwork import FLOOD, Clockwork
from tests.front import Census, Portal
from tests.listeners import BrokenOff, Listener
from tests.processes.eventually import eventually
from voiceclone_site.accounts.models import User
from voices import books
from voices.models import LedgerEntry, ProviderAccount, VoiceClone
from voices.providers.aio import FULL_BYTES
from voices.providers.aliyun.speech import AliyunSpeech
from voices.providers.warm import LEAST

SPEECH = "/api/v1/speech"
State = SynthesisJob.State
ENDLESS = "flood " + "一" * 500
WARM_UP = "whole 999"

Ask = Callable[[str], Awaitable[Listener]]


@pytest.fixture
def ask(portal: Portal, alice: User, its_voice: VoiceClone, clockwork: Clockwork, settings: Settings) -> Ask:
    portal.provider_port = clockwork.port
    settings.REQUESTS_PER_MINUTE = 1_000_000
    token = token_of(alice)

    def asking(text: str) -> Awaitable[Listener]:
        body = {"voice": str(its_voice.pk), "text": text, "format": "pcm"}
        return Listener.ask(portal.port, body, token=token, path=SPEECH)

    return asking


@pytest.fixture
def before(portal: Portal, ask: Ask, clockwork: Clockwork) -> Census:
    """What there is when one has been spoken to: threads are made when they are first needed."""

    async def one() -> None:
        listener = await ask(WARM_UP)
        await listener.first_audio()
        await listener.the_rest()
        listener.leave()

    asyncio.run(one())
    portal.until_quiet()

    found: list[Census] = []

    def nobody_is_there() -> bool:
        # Of the very moment that is compared with later: every few seconds another connection is opened ahead.
        found.append(portal.census())
        kept = portal.front.relay.pool.idle
        return found[-1].sockets == 0 and not portal.listeners and clockwork.connections == kept >= 1

    eventually(nobody_is_there, what="nobody there but what is kept warm", every=0.005)
    return found[-1]


async def asked(ask: Ask, *texts: str) -> list[Listener]:
    """All of them hear their first audio."""
    listeners = [await ask(text) for text in texts]
    await asyncio.gather(*(listener.first_audio() for listener in listeners))
    assert {listener.status for listener in listeners} == {200}
    return listeners


def rows(portal: Portal, before: Census) -> list[SynthesisJob]:
    """Once nothing is left of them but their rows, and what was counted for them is what these say."""
    portal.is_as(before)
    jobs = list(SynthesisJob.objects.exclude(text=WARM_UP))
    assert {(job.lease_token, job.intent, job.due_at) for job in jobs} <= {(None, "", None)}
    counted = LedgerEntry.objects.filter(row__in=[job.pk for job in jobs], purpose="speech")
    assert (counted.aggregate(all=Sum("characters"))["all"] or 0) == sum(job.characters for job in jobs)
    return jobs


def spooled() -> list[Path]:
    return list((Path(settings.DATA_DIR) / "spool").iterdir())


def ended(jobs: list[SynthesisJob]) -> Counter[tuple[str, str]]:
    return Counter((job.state, job.error_code) for job in jobs)


def test_two_hundred_who_hang_up_together(portal: Portal, ask: Ask, before: Census, clockwork: Clockwork) -> None:
    async def run() -> None:
        for listener in await asked(ask, *(f"hold {number}" for number in range(200))):
            listener.leave()

    asyncio.run(run())
    jobs = rows(portal, before)
    assert ended(jobs) == {(State.CANCELLED, "client_left"): 200}
    assert all(0 < job.characters <= job.characters_expected for job in jobs)
    eventually(lambda: clockwork.connections <= portal.front.relay.pool.idle, what="every call to the provider ended")


def test_a_database_that_does_not_answer_disturbs_nobody_who_speaks(
    portal: Portal, ask: Ask, before: Census, clockwork: Clockwork
) -> None:
    async def run() -> None:
        speaking = await asked(ask, *(f"hold {number}" for number in range(5)))
        with portal.silent_database():
            waiting = [await ask(f"whole {number}") for number in range(10, 20)]
            leaving = [await ask(f"whole {number}") for number in range(20, 25)]
            async with asyncio.timeout(20):
                while portal.asked < 5 + 15:
                    await asyncio.sleep(0.005)
            for listener in leaving:
                listener.leave()
            clockwork.go_on()
            for number, listener in enumerate(speaking):
                whole = audio_of(f"hold {number}")
                assert await listener.more(until=len(whole)) == whole
            assert len(clockwork.said) == 1 + 5
        for number, listener in enumerate(speaking):
            assert await listener.the_rest() == audio_of(f"hold {number}")
        for number, listener in enumerate(waiting, 10):
            await listener.first_audio()
            assert await listener.the_rest() == audio_of(f"whole {number}")
        for listener in speaking + waiting:
            listener.leave()

    asyncio.run(run())
    found = ended(rows(portal, before))
    assert found.pop((State.SUCCESS, "")) == 15
    # Who had left before anything was begun for them has no row; nobody who left was spoken for.
    assert set(found) <= {(State.CANCELLED, "client_left")}
    assert not [text for text in clockwork.said if text in {f"whole {number}" for number in range(20, 25)}]


def test_who_takes_in_a_byte_at_a_time_holds_back_the_provider_and_nobody_else(
    portal: Portal, ask: Ask, before: Census, clockwork: Clockwork, alice: User, its_voice: VoiceClone
) -> None:
    body = json.dumps({"voice": str(its_voice.pk), "text": ENDLESS, "format": "pcm"}).encode()
    with closing(socket.socket()) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", portal.port))
        slow.sendall(as_sent(token_of(alice), body))
        assert slow.recv(1) == b"H"
        looks: list[int] = []

        def is_held_back() -> bool:
            looks.append(clockwork.bytes_out)
            return looks[-1] > FULL_BYTES and looks[-5:] == [looks[-1]] * 5

        eventually(is_held_back, what="the provider held back")
        for _byte in range(20):
            slow.recv(1)

        async def others() -> None:
            for listener in await asked(ask, *(f"whole {number}" for number in range(10))):
                await listener.the_rest()
                listener.leave()

        asyncio.run(others())
        running = SynthesisJob.objects.filter(state=State.RUNNING)
        eventually(lambda: [job.text for job in running.all()] == [ENDLESS], what="the others settled")
        # What the kernel keeps for four ends of sockets (some 40 MB at most), and hardly more than that.
        assert clockwork.bytes_out < FLOOD / 2
    jobs = rows(portal, before)
    assert ended(jobs) == {(State.SUCCESS, ""): 10, (State.CANCELLED, "client_left"): 1}
    (left,) = [job for job in jobs if job.state == State.CANCELLED]
    assert 0 < left.characters <= left.characters_expected


@pytest.mark.parametrize("how", ["close", "garble"])
def test_a_provider_that_breaks_off_in_mid_stream_breaks_the_transfer(
    portal: Portal, ask: Ask, before: Census, clockwork: Clockwork, how: str
) -> None:
    async def run() -> None:
        listeners = await asked(ask, *(f"{how} {number}" for number in range(10)))
        clockwork.go_on()
        for number, listener in enumerate(listeners):
            with pytest.raises(BrokenOff):
                await listener.the_rest()
            assert audio_of(f"{how} {number}").startswith(listener.heard)
            listener.leave()

    asyncio.run(run())
    jobs = rows(portal, before)
    assert ended(jobs) == {(State.FAILED, "stream_broken"): 10}
    assert all(0 < job.characters <= job.characters_expected for job in jobs)


@pytest.mark.usefixtures("_impatient")
def test_a_provider_that_falls_silent_breaks_the_transfer(portal: Portal, ask: Ask, before: Census) -> None:
    async def run() -> None:
        # Five failures in a row would open the account's circuit, and who came then would be refused.
        for listener in await asked(ask, *(f"stall {number}" for number in range(4))):
            with pytest.raises(BrokenOff):
                await listener.the_rest()
            listener.leave()

    asyncio.run(run())
    jobs = rows(portal, before)
    assert ended(jobs) == {(State.FAILED, "stream_broken"): 4}
    assert all(0 < job.characters <= job.characters_expected for job in jobs)


def test_a_provider_that_floods_is_cut_off(portal: Portal, ask: Ask, before: Census, clockwork: Clockwork) -> None:
    async def run() -> None:
        (listener,) = await asked(ask, "flood 1")
        with pytest.raises(BrokenOff):
            await listener.the_rest()
        listener.leave()

    asyncio.run(run())
    (job,) = rows(portal, before)
    assert (job.state, job.error_code, job.characters) == (State.FAILED, "stream_broken", job.characters_expected)
    assert clockwork.bytes_out < FLOOD
    assert spooled() == []


@pytest.mark.usefixtures("_impatient")
def test_a_provider_that_talks_and_makes_no_sound_is_cut_off(portal: Portal, ask: Ask, before: Census) -> None:
    async def run() -> None:
        listener = await ask("chatter 1")
        await listener.first_audio()
        assert listener.status == 502
        listener.leave()

    asyncio.run(run())
    assert ended(rows(portal, before)) == {(State.FAILED, "stream_broken"): 1}


def test_who_hangs_up_while_what_was_heard_is_written_down_has_heard_it(
    portal: Portal, ask: Ask, before: Census, clockwork: Clockwork
) -> None:
    """What waits to be written counts as well."""

    async def run() -> None:
        relay = portal.front.relay
        listener, other = await asked(ask, "long " + "一" * 500, "hold 1")
        with portal.silent_database():
            async with asyncio.timeout(20):
                other.leave()  # whose books keep the thread
                while not relay.is_settling:
                    await asyncio.sleep(0.005)
                clockwork.go_on()
                while not any(isinstance(voice, Voice) and voice._writing for voice in relay.speaking.values()):
                    await asyncio.sleep(0.005)
                listener.leave()
                while relay.speaking:
                    await asyncio.sleep(0.005)

    asyncio.run(run())
    job = next(job for job in rows(portal, before) if job.text.startswith("long"))
    assert (job.state, job.error_code) == (State.CANCELLED, "client_left")
    # 303 200 bytes are 6.3 s of 16-bit samples, in each of which at most 20 characters are said.
    assert job.characters == 127 < job.characters_expected
    assert spooled() == []


def test_a_pool_whose_connections_the_provider_has_closed_is_not_noticed(
    portal: Portal, ask: Ask, before: Census, clockwork: Clockwork
) -> None:
    async def spoken(*texts: str) -> None:
        for text, listener in zip(texts, await asked(ask, *texts), strict=True):
            clockwork.go_on()
            assert await listener.the_rest() == audio_of(text)
            listener.leave()

    asyncio.run(spoken(*(f"hold {number}" for number in range(8))))
    portal.until_quiet()
    assert clockwork.connections == 8
    clockwork.hang_up()
    again = [f"whole {number}" for number in range(1, 9)]
    asyncio.run(spoken(*again))
    assert ended(rows(portal, before)) == {(State.SUCCESS, ""): 16}
    assert sorted(text for text in clockwork.said if text in again) == again


def test_what_is_spoken_when_it_is_told_to_stop_is_broken_off_and_settled(
    portal: Portal, ask: Ask, before: Census, clockwork: Clockwork
) -> None:
    portal.server.config.timeout_graceful_shutdown = 0

    async def run() -> None:
        listeners = await asked(ask, *(f"hold {number}" for number in range(50)))
        stopping = asyncio.create_task(asyncio.to_thread(portal.stop))
        for listener in listeners:
            with pytest.raises(BrokenOff):
                await listener.the_rest()
            listener.leave()
        await stopping

    asyncio.run(run())
    jobs = list(SynthesisJob.objects.exclude(text=WARM_UP))
    assert ended(jobs) == {(State.FAILED, "interrupted"): 50}
    counted = LedgerEntry.objects.filter(purpose="speech", row__in=[job.pk for job in jobs])
    assert counted.aggregate(all=Sum("characters"))["all"] == sum(job.characters for job in jobs) > 0


def test_who_is_let_in_when_nobody_waits_any_more_is_neither_spoken_for_nor_counted(
    portal: Portal, ask: Ask, before: Census, clockwork: Clockwork
) -> None:
    portal.server.config.timeout_graceful_shutdown = 0

    async def run() -> None:
        with portal.silent_database():
            listener = await ask("whole 1")
            eventually(lambda: portal.front.admission.is_at_work, what="its admission", every=0.005)
            stopping = asyncio.create_task(asyncio.to_thread(portal.stop))
            await listener.first_audio()
            listener.leave()
            assert listener.status == 500
        await stopping

    asyncio.run(run())
    job = SynthesisJob.objects.exclude(text=WARM_UP).get()
    assert (job.state, job.error_code, job.characters) == (State.FAILED, "interrupted", 0)
    counted = LedgerEntry.objects.filter(purpose="speech", row=job.pk)
    assert counted.aggregate(all=Sum("characters"))["all"] == 0
    assert clockwork.said == [WARM_UP]
    assert list(books.discrepancies()) == []


def test_connections_wait_for_who_was_spoken_through_lately_before_anybody_asks(
    its_voice: VoiceClone, clockwork: Clockwork, request: pytest.FixtureRequest
) -> None:
    VoiceClone.objects.filter(pk=its_voice.pk).update(spoken_at=timezone.now())
    portal: Portal = request.getfixturevalue("portal")
    eventually(lambda: portal.front.relay.pool.idle == clockwork.connections == LEAST, what="warm", every=0.005)
    ask: Ask = request.getfixturevalue("ask")

    async def run() -> None:
        for listener in await asked(ask, "whole 1"):
            await listener.the_rest()
            listener.leave()

    asyncio.run(run())
    assert clockwork.opened == LEAST
    assert clockwork.said == ["whole 1"]


def test_it_starts_although_the_provider_is_away(its_voice: VoiceClone, request: pytest.FixtureRequest) -> None:
    account = its_voice.account
    ProviderAccount.objects.filter(pk=account.pk).update(
        endpoints={**account.endpoints, "websocket": "ws://127.0.0.1:1/"}
    )
    VoiceClone.objects.filter(pk=its_voice.pk).update(spoken_at=timezone.now())
    portal: Portal = request.getfixturevalue("portal")
    ask: Ask = request.getfixturevalue("ask")

    async def run() -> None:
        listener = await ask("whole 1")
        await listener.first_audio()
        assert listener.status == 503
        listener.leave()

    asyncio.run(run())
    portal.until_quiet()
    assert portal.front.relay.pool.idle == 0


def test_who_takes_nothing_in_counts_as_having_left(
    portal: Portal, before: Census, clockwork: Clockwork, alice: User, its_voice: VoiceClone
) -> None:
    body = json.dumps({"voice": str(its_voice.pk), "text": ENDLESS, "format": "pcm"}).encode()
    with closing(socket.socket()) as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", portal.port))
        stalled.sendall(as_sent(token_of(alice), body))
        eventually(
            lambda: not SynthesisJob.objects.filter(state=State.RUNNING).exists() and clockwork.said, what="left"
        )
        eventually(lambda: portal.listeners == 0, what="hung up on")
        assert ended(rows(portal, replace(before, sockets=before.sockets + 1))) == {(State.CANCELLED, "client_left"): 1}


def test_who_has_sent_half_of_a_form_does_not_keep_it_from_stopping(portal: Portal) -> None:
    portal.server.config.timeout_graceful_shutdown = 0
    with closing(portal.connect()) as half:
        half.sendall(as_sent("", b"login=alice", path="/accounts/login/", announced=1000))
        eventually(lambda: any(thread.name.startswith("django") for thread in threading.enumerate()), what="its thread")
        portal.stop()


def as_sent(token: str, body: bytes, *, path: str = SPEECH, announced: int = 0) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {announced or len(body)}\r\n\r\n"
    )
    return head.encode() + body


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a provider's silence, which is otherwise waited out for half a minute."""
    connection: Any = AliyunSpeech.connection
    monkeypatch.setattr(
        AliyunSpeech,
        "connection",
        lambda self, request: replace(connection(self, request), frame_timeout=0.5, sound_timeout=0.5),
    )

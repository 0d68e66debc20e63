"""kill -9 in the middle: what was begun ends, and nothing is done twice. The sandbox's own ledger is the witness."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
import requests

from tests.prepared import place
from tests.processes.alice import JOBS, TEXT, VOICES, Alice, calls
from tests.processes.eventually import eventually
from tests.processes.started import Started, database_of_its_own, free_port, portal

LONGER_THAN_THE_TEST = 600.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    folder = tmp_path_factory.mktemp("killing")
    place(folder)
    with database_of_its_own(f"test_processes_{free_port()}") as more, portal(folder, **more) as started:
        yield started


@pytest.fixture(scope="module")
def alice(running: Started) -> Alice:
    return Alice(running)


@pytest.fixture
def started(running: Started) -> Iterator[Started]:
    """The portal of all these tests, well, with an empty ledger."""
    running.sandbox.configure(train_seconds=0.5, synthesis_rate=0, enrollment_rate=0)
    running.sandbox.ledger.clear()
    yield running
    running.sandbox.clear_faults()
    eventually(lambda: running.readyz()[0] == 200, what="the portal is well again")


@pytest.fixture
def ready_voice(started: Started, alice: Alice) -> str:
    voice = alice.order_voice()
    alice.sees("voices", voice, "Success")
    started.sandbox.ledger.clear()
    return voice


def killed(started: Started, name: str) -> None:
    """kill -9 of a whole group, and the supervisor has started another."""
    old = started.leader(name)
    started.kill(name)
    eventually(lambda: started.leader(name) not in (0, old), what=f"{name} is started again")


def test_it_adopts_the_voice_whose_worker_died_before_it_heard_the_answer(started: Started, alice: Alice) -> None:
    started.sandbox.fail(operation="create_voice", how="delay", at="after", seconds=LONGER_THAN_THE_TEST)
    voice = alice.order_voice()
    eventually(lambda: started.sandbox.ledger.created(), what="the provider has made the voice")
    killed(started, "worker_slow")
    started.let_time_pass(VOICES)
    alice.sees("voices", voice, "Unknown")
    started.let_time_pass(VOICES)
    ready = alice.sees("voices", voice, "Success")
    assert [ready["remote_id"]] == started.sandbox.ledger.created()
    assert calls(started, "create_voice") == 1


def test_it_asks_again_only_after_it_has_seen_that_nothing_happened(started: Started, alice: Alice) -> None:
    started.sandbox.fail(operation="create_voice", how="delay", at="before", seconds=LONGER_THAN_THE_TEST)
    voice = alice.order_voice()
    eventually(lambda: calls(started, "create_voice") == 1, what="the call has arrived")
    killed(started, "worker_slow")
    started.let_time_pass(VOICES)
    alice.sees("voices", voice, "Unknown")
    for looks in (1, 2, 3):
        started.let_time_pass(VOICES)
        alice.waits_for_look(voice, looks)
    ready = alice.sees("voices", voice, "Success")
    assert [ready["remote_id"]] == started.sandbox.ledger.created()
    assert calls(started, "create_voice") == 2


def test_it_finishes_a_voice_whose_worker_died_while_it_trained(started: Started, alice: Alice) -> None:
    started.sandbox.configure(train_seconds=LONGER_THAN_THE_TEST)
    voice = alice.order_voice()
    alice.sees("voices", voice, "Training")
    killed(started, "worker")
    (remote_id,) = started.sandbox.ledger.created()
    started.sandbox.set_status(remote_id, "OK")
    started.let_time_pass(VOICES)
    alice.sees("voices", voice, "Success")
    assert (calls(started, "create_voice"), len(started.sandbox.ledger.created())) == (1, 1)


def test_it_finishes_a_voice_whose_portal_died_while_it_trained(started: Started, alice: Alice) -> None:
    """The provider is about to fetch the sample when the web process that serves it goes."""
    started.sandbox.fail(operation="create_voice", how="delay", at="before", seconds=0.5)
    voice = alice.order_voice()
    eventually(lambda: calls(started, "create_voice") == 1, what="the call has arrived")
    killed(started, "web")
    eventually(lambda: alice.look("voices", voice).get("state") in ("Init", "Training", "Success"))
    started.let_time_pass(VOICES)
    ready = alice.sees("voices", voice, "Success")
    assert [ready["remote_id"]] == started.sandbox.ledger.created()


def test_it_ends_a_job_whose_worker_died_while_it_spoke_and_sends_it_once(
    started: Started, alice: Alice, ready_voice: str
) -> None:
    started.sandbox.fail(operation="synthesis", how="stall", at="after")
    job = alice.submit(ready_voice)
    eventually(lambda: started.sandbox.ledger.answers("audio"), what="it speaks")
    started.kill("worker_slow")
    waiting = alice.submit(ready_voice)
    alice.sees("jobs", waiting, "Success")
    started.let_time_pass(JOBS)
    ended = alice.sees("jobs", job, "Failed")
    assert ended["error"]["code"] == "interrupted"
    assert calls(started, "run-task") == 2


def test_it_ends_a_stream_whose_web_process_died_and_sends_it_once(
    started: Started, alice: Alice, ready_voice: str
) -> None:
    started.sandbox.fail(operation="synthesis", how="stall", at="after")
    speech = requests.post(
        f"{started.address}/api/v1/speech",
        headers=alice.headers,
        json={"voice": ready_voice, "text": TEXT},
        timeout=30,
        stream=True,
    )
    assert speech.status_code == 200, speech.text
    chunks = speech.iter_content(None)
    assert next(chunks)
    killed(started, "web")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        list(chunks)
    eventually(lambda: alice.look("jobs", speech.headers["X-Job-Id"]), what="the portal answers again")
    started.let_time_pass(JOBS)
    ended = alice.sees("jobs", speech.headers["X-Job-Id"], "Failed")
    assert ended["error"]["code"] == "interrupted"
    assert calls(started, "run-task") == 1


def test_it_speaks_again_after_the_sandbox_died(started: Started, alice: Alice, ready_voice: str) -> None:
    killed(started, "sandbox")
    eventually(lambda: started.readyz()[0] == 200, what="the portal is well again")
    assert alice.sees("jobs", alice.submit(ready_voice), "Success", "Failed")["state"] == "Success"


@pytest.mark.parametrize("name", ["worker", "worker_slow"])
def test_it_replaces_a_worker_whose_every_process_is_frozen(started: Started, name: str) -> None:
    frozen = started.leader(name)
    os.killpg(frozen, signal.SIGSTOP)
    started.sql("UPDATE voices_queueheartbeat SET beat_at = '2000-01-01 00:00:00'")
    status, checks = started.readyz()
    assert (status, checks[name]["status"]) == (503, "failed")
    assert "Restart manage.py work" in checks[name]["message"]
    eventually(lambda: started.leader(name) not in (0, frozen), seconds=60, what="another worker")
    eventually(lambda: started.readyz()[0] == 200, what="the portal is well again")

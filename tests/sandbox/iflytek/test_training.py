"""The training service: order of its checks, its fields and ids, its states, and who may see a task."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.recordings import MAN, recording
from tests.sample_server import Answer as Sample
from tests.sample_server import SampleServer
from voiceclone_site.sandbox.remote import Sandbox

from .wire import (
    BOUNDARY,
    OWNER,
    STRANGER,
    add_task,
    call,
    form,
    headers,
    md5,
    post,
    result,
    submit,
    token,
    trained,
)

CALLS = ["task/traintext", "task/add", "audio/v1/add", "task/submit", "task/submitWithAudio", "task/result"]
URL = "https://example.com/voices/me.wav"


def test_it_offers_twenty_sentences_to_read(sandbox: Sandbox) -> None:
    answer = call(sandbox, "task/traintext", {"textId": 5001})
    data = answer.json["data"]
    assert (data["textId"], data["textName"], answer.json["flag"]) == (5001, "通用训练文本", True)
    assert [segment["segId"] for segment in data["textSegs"]] == [str(number) for number in range(1, 21)]
    assert len({segment["segText"] for segment in data["textSegs"]}) == 20


def test_it_has_english_sentences_as_well(sandbox: Sandbox) -> None:
    segments = call(sandbox, "task/traintext", {"textId": 5002}).json["data"]["textSegs"]
    assert len(segments) == 20
    assert all(segment["segText"].isascii() for segment in segments)


def test_it_walks_from_draft_over_training_to_a_voice(sandbox: Sandbox) -> None:
    sandbox.configure(train_seconds=60)
    task_id = add_task(sandbox, resourceName="r", sex=2, ageGroup=3)
    draft = result(sandbox, task_id)
    assert (draft["trainStatus"], draft["assetId"], draft["trainVid"]) == (2, "", "")
    assert (draft["taskName"], draft["resourceName"], draft["sex"], draft["ageGroup"]) == ("t", "r", 2, 3)
    assert (draft["trainId"], draft["appId"]) == (task_id, OWNER.app_id)
    answer = submit(sandbox, task_id)
    assert answer.json == {"code": 0, "desc": "成功", "data": None, "flag": True}
    training = result(sandbox, task_id)
    assert (training["trainStatus"], training["assetId"]) == (-1, "")
    sandbox.end_iflytek_training(task_id)
    done = result(sandbox, task_id)
    assert done["trainStatus"] == 1
    assert re.fullmatch(r"[0-9a-f]{7}_ttsclone-a1b2c3d4-[a-z]{5}", done["assetId"])
    assert sandbox.ledger.created("iflytek-1") == [done["assetId"]]


def test_it_gives_every_task_a_voice_of_its_own(sandbox: Sandbox) -> None:
    assert trained(sandbox) != trained(sandbox)


def test_it_takes_ids_as_strings_and_as_numbers(sandbox: Sandbox) -> None:
    task_id = add_task(sandbox)
    assert task_id.isdigit()
    assert call(sandbox, "task/result", {"taskId": int(task_id)}).code == 0
    assert call(sandbox, "task/traintext", {"textId": "5001"}).code == 0


def test_it_trains_by_url_without_fetching_it(sandbox: Sandbox) -> None:
    task_id = add_task(sandbox)
    added = call(sandbox, "audio/v1/add", {"taskId": task_id, "audioUrl": URL, "textId": 5001, "textSegId": 14})
    assert added.json == {"code": 0, "desc": "成功", "data": None, "flag": True}
    assert result(sandbox, task_id)["trainStatus"] == 2
    assert call(sandbox, "task/submit", {"taskId": task_id}).code == 0
    assert result(sandbox, task_id)["trainStatus"] == 1


def test_it_fetches_from_this_machine_when_told_to(sandbox: Sandbox, samples: SampleServer) -> None:
    sandbox.configure(iflytek={"fetch_audio": True})
    samples.answers["/stereo.mp3"] = Sample(recording(MAN, format="mp3"))
    task_id = add_task(sandbox)
    given = {"taskId": task_id, "textId": 5001, "textSegId": 1}
    url = f"http://127.0.0.1:{samples.port}/stereo.mp3"
    assert call(sandbox, "audio/v1/add", {**given, "audioUrl": URL}).code == 90002
    assert call(sandbox, "audio/v1/add", {**given, "audioUrl": url.replace("stereo", "missing")}).code == 90002
    assert call(sandbox, "audio/v1/add", {**given, "audioUrl": url}).code == 0
    assert call(sandbox, "task/submit", {"taskId": task_id}).code == 0
    assert result(sandbox, task_id)["trainStatus"] == 1


@pytest.mark.parametrize("url", ["ftp://example.com/me.wav", "example.com/me.wav", f"{URL}?sign=1", "http://a/b.flac"])
def test_it_refuses_other_addresses(sandbox: Sandbox, url: str) -> None:
    given = {"taskId": add_task(sandbox), "audioUrl": url, "textId": 5001, "textSegId": 1}
    answer = call(sandbox, "audio/v1/add", given)
    assert answer.code == 90002
    assert "audioUrl" in answer.json["desc"]


def test_it_does_not_submit_without_audio(sandbox: Sandbox) -> None:
    assert call(sandbox, "task/submit", {"taskId": add_task(sandbox)}).code == 90002


def test_it_lets_a_task_be_submitted_again_unless_told_otherwise(sandbox: Sandbox) -> None:
    task_id = add_task(sandbox)
    submit(sandbox, task_id)
    assert call(sandbox, "task/submit", {"taskId": task_id}).code == 0
    sandbox.configure(iflytek={"resubmit": "refuse"})
    assert call(sandbox, "task/submit", {"taskId": task_id}).code == 90001


def test_it_takes_no_second_recording(sandbox: Sandbox) -> None:
    task_id = add_task(sandbox)
    submit(sandbox, task_id)
    assert submit(sandbox, task_id).code == 90001
    given = {"taskId": task_id, "audioUrl": URL, "textId": 5001, "textSegId": 1}
    assert call(sandbox, "audio/v1/add", given).code == 90001


@pytest.mark.parametrize("path", CALLS)
def test_it_checks_in_the_documented_order(sandbox: Sandbox, path: str) -> None:
    known = token(sandbox)

    def code(**changed: Any) -> int:
        return call(sandbox, path, b"no json", with_token=known, **changed).code

    everything_wrong = {"X_AppId": STRANGER.app_id, "X_Sign": "0" * 32}
    assert code(**{**everything_wrong, "X_AppId": None}) == 10001
    assert code(**everything_wrong, X_Token=None) == 10001
    assert code(**everything_wrong, X_Token="made-up") == 10000
    assert code(**everything_wrong) == 10016
    sandbox.fail(operation="*", how="error", code="10020", times=1)
    assert code(X_Sign="0" * 32) == 10020
    assert code(X_Sign="0" * 32) == 90001
    assert code() == 90001


@pytest.mark.parametrize("path", CALLS)
def test_it_takes_post_only(sandbox: Sandbox, path: str) -> None:
    assert post(sandbox, f"/voice_train/{path}", b"", {}, method="GET").status == 405


def test_it_knows_the_notes_signature(sandbox: Sandbox) -> None:
    sandbox.configure(iflytek={"signature": "strict"})
    sign = "9d27eec91c2eb7d49588e4faec6d0bf3"
    answer = call(sandbox, "task/traintext", b'{"textId":5001}', X_Time="1767225600000", X_Sign=sign)
    assert answer.code == 0


@pytest.mark.parametrize(("mode", "code"), [("strict", 90001), ("sdk", 0), ("off", 0)])
def test_it_accepts_the_sdks_spacing_unless_strict(sandbox: Sandbox, mode: str, code: int) -> None:
    sandbox.configure(iflytek={"signature": mode})
    sign = md5(OWNER.api_key + "1767225600000" + md5('{"textId": 5001}'))
    answer = call(sandbox, "task/traintext", b'{"textId":5001}', X_Time="1767225600000", X_Sign=sign)
    assert answer.code == code


@pytest.mark.parametrize(("mode", "code"), [("strict", 90001), ("sdk", 0), ("off", 0)])
def test_it_accepts_any_signature_of_a_form_unless_strict(sandbox: Sandbox, mode: str, code: int) -> None:
    task_id = add_task(sandbox)
    sandbox.configure(iflytek={"signature": mode})
    raw = form({"taskId": task_id, "textId": "5001", "textSegId": "1"}, recording())
    sign = md5(OWNER.api_key + "1767225600000" + md5("null"))
    given = headers(
        OWNER,
        token(sandbox),
        raw,
        X_Time="1767225600000",
        X_Sign=sign,
        Content_Type=f"multipart/form-data; boundary={BOUNDARY}",
    )
    assert post(sandbox, "/voice_train/task/submitWithAudio", raw, given).code == code


def test_it_takes_a_strictly_signed_form(sandbox: Sandbox) -> None:
    task_id = add_task(sandbox)
    sandbox.configure(iflytek={"signature": "strict"})
    assert submit(sandbox, task_id).code == 0


@pytest.mark.parametrize("sign", ["", "0" * 31, "Z" * 32, "A" * 32])
def test_it_wants_a_signature_of_the_right_shape_always(sandbox: Sandbox, sign: str) -> None:
    sandbox.configure(iflytek={"signature": "off"})
    assert call(sandbox, "task/traintext", {"textId": 5001}, X_Sign=sign).code == 90001


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("task/traintext", {}, "textId"),
        ("task/traintext", {"textId": None}, "textId"),
        ("task/traintext", {"textId": [1]}, "textId"),
        ("task/add", {}, "resourceType"),
        ("task/add", {"resourceType": 12, "sex": 3}, "sex"),
        ("task/add", {"resourceType": 12, "sex": "2"}, "sex"),
        ("task/add", {"resourceType": 12, "ageGroup": 0}, "ageGroup"),
        ("task/add", {"resourceType": 12, "language": "fr"}, "language"),
        ("task/add", {"resourceType": 12, "denoiseSwitch": 2}, "denoiseSwitch"),
        ("task/add", {"resourceType": 12, "denoise": 2}, "denoise"),
        ("task/add", {"resourceType": 12, "mosRatio": 5.1}, "mosRatio"),
        ("task/add", {"resourceType": 12, "mosRatio": "loud"}, "mosRatio"),
        ("task/add", {"resourceType": 12, "taskName": 7}, "taskName"),
        ("audio/v1/add", {}, "taskId"),
        ("task/submit", {}, "taskId"),
        ("task/submit", {"taskId": 1.5}, "taskId"),
        ("task/result", {"taskId": ""}, "taskId"),
        ("task/result", {"taskId": 0}, "taskId"),
    ],
)
def test_it_names_the_field_that_is_wrong(sandbox: Sandbox, path: str, body: dict[str, Any], field: str) -> None:
    answer = call(sandbox, path, body)
    assert (answer.status, answer.code, answer.json["flag"], answer.json["data"]) == (200, 90002, False, None)
    assert field in answer.json["desc"]


@pytest.mark.parametrize("missing", ["taskId", "textId", "textSegId"])
def test_it_wants_every_part_of_a_form(sandbox: Sandbox, missing: str) -> None:
    given = {"taskId": add_task(sandbox), "textId": "5001", "textSegId": "1"}
    del given[missing]
    raw = form(given, recording())
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    answer = post(
        sandbox, "/voice_train/task/submitWithAudio", raw, headers(OWNER, token(sandbox), raw, Content_Type=kind)
    )
    assert answer.code == 90002
    assert missing in answer.json["desc"]


def test_it_wants_a_file_in_the_form(sandbox: Sandbox) -> None:
    raw = form({"taskId": add_task(sandbox), "textId": "5001", "textSegId": "1"}, None)
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    given = headers(OWNER, token(sandbox), raw, Content_Type=kind)
    assert post(sandbox, "/voice_train/task/submitWithAudio", raw, given).code == 90002
    cut = raw[:-20]
    given = headers(OWNER, token(sandbox), cut, Content_Type=kind)
    assert post(sandbox, "/voice_train/task/submitWithAudio", cut, given).code == 90001


def test_it_accepts_null_for_what_may_be_left_out(sandbox: Sandbox) -> None:
    names = ("sex", "ageGroup", "language", "denoiseSwitch", "mosRatio", "thirdUser", "callbackUrl", "engineVersion")
    answer = call(sandbox, "task/add", {"resourceType": 12, **dict.fromkeys(names)})
    assert answer.code == 0
    assert sandbox.iflytek_tasks()[0]["edition"] == "standard"


@pytest.mark.parametrize("body", [{"resourceType": 11}, {"resourceType": 12, "engineVersion": "omni_v9"}])
def test_it_refuses_other_kinds_of_training(sandbox: Sandbox, body: dict[str, Any]) -> None:
    assert call(sandbox, "task/add", body).code == 10017


def test_it_knows_unknown_ids_from_those_of_others(sandbox: Sandbox) -> None:
    task_id = add_task(sandbox)
    assert call(sandbox, "task/result", {"taskId": "999999999"}).code == 60000
    assert call(sandbox, "task/result", {"taskId": "abc"}).code == 60000
    assert call(sandbox, "task/result", {"taskId": task_id}, account=STRANGER).code == 10015
    assert call(sandbox, "task/submit", {"taskId": task_id}, account=STRANGER).code == 10015
    assert submit(sandbox, task_id, account=STRANGER).code == 10015
    assert call(sandbox, "task/traintext", {"textId": 1}).code == 20001
    assert submit(sandbox, task_id, text="5000").code == 20001
    assert submit(sandbox, task_id, segment="21").code == 20002
    assert submit(sandbox, task_id, segment="0").code == 20002


def test_it_takes_a_token_only_with_its_own_application(sandbox: Sandbox) -> None:
    known = token(sandbox, OWNER)
    answer = call(sandbox, "task/traintext", {"textId": 5001}, account=STRANGER, with_token=known)
    assert answer.code == 10016


def test_it_runs_out_of_trainings_and_of_places(sandbox: Sandbox) -> None:
    sandbox.configure(iflytek={"trainings": 1})
    trained(sandbox)
    assert call(sandbox, "task/add", {"resourceType": 12}).code == 10021
    assert call(sandbox, "task/add", {"resourceType": 12}, account=STRANGER).code == 0
    sandbox.configure(iflytek={"trainings": 0, "parallel_trainings": 1}, train_seconds=60)
    waiting = add_task(sandbox)
    submit(sandbox, add_task(sandbox))
    assert submit(sandbox, waiting).code == 10018


@pytest.fixture
def told() -> Iterator[tuple[str, list[dict[str, str]], threading.Event]]:
    """An address of this machine, what was posted to it, and whether something was."""
    got: list[dict[str, str]] = []
    arrived = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            arrived.set()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: pytest's output is not a web log."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/done", got, arrived
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_calls_back_on_this_machine(
    sandbox: Sandbox, told: tuple[str, list[dict[str, str]], threading.Event]
) -> None:
    url, got, arrived = told
    task_id = add_task(sandbox, callbackUrl=url)
    submit(sandbox, task_id)
    assert arrived.wait(10)
    found = result(sandbox, task_id)
    assert got == [
        {
            "taskId": task_id,
            "taskName": "t",
            "trainStatus": "1",
            "trainVid": found["trainVid"],
            "trainVcn": found["assetId"],
            "resourceType": "12",
        }
    ]


def test_it_calls_nobody_back_elsewhere(sandbox: Sandbox) -> None:
    submit(sandbox, add_task(sandbox, callbackUrl="http://example.com/done"))
    (entry,) = sandbox.ledger.answers("ifly:callback")
    assert (entry.status, entry.body["trouble"]) == (0, "the sandbox reaches only this machine")

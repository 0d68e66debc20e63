"""The command line against the sandbox: the provider's own session line by line, and every way it may end."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from synthesis.management.voiceclone.exits import Exit
from tests.recordings import CHINESE_WOMAN, WOMAN, recording
from tests.sample_server import SampleServer
from tests.synthesis.command_line import CommandLine, at_the_sandbox, voiceclone
from tests.worker import let_time_pass
from voiceclone_site.accounts.models import User
from voiceclone_site.sandbox.remote import Sandbox
from voices.models import ProviderAccount, VoiceClone

__all__ = ["at_the_sandbox", "voiceclone"]

ROOT = Path(__file__).resolve().parent.parent.parent
TRAINED = "_ttsclone-a1b2c3d4-"
HELLO = "你好,这是我的声音克隆。"
PAGE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
SESSION = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0].splitlines()


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "recording.wav"
    path.write_bytes(recording(CHINESE_WOMAN, 12))
    return path


@pytest.fixture
def res_id(voiceclone: CommandLine, wav: Path, sandbox: Sandbox) -> str:
    """A voice that was trained by hand."""
    made = voiceclone("train", "quick", "--audio", wav, "--name", "MyVoice", "--sex", "female", "--wait", "--every", 0)
    assert made.status == 0, made.err
    sandbox.ledger.clear()
    return made.out


def sent(sandbox: Sandbox) -> list[str]:
    """Every call with an effect that reached the provider, in order."""
    named = ("ifly:task/add", "ifly:audio/add", "ifly:submit", "ifly:submitWithAudio", "ifly:clone")
    return [entry.operation for entry in sandbox.ledger.entries(direction="in") if entry.operation in named]


def is_mp3(path: Path) -> bool:
    return path.read_bytes()[:3] == b"ID3" or path.read_bytes()[0] == 0xFF


# --- the document's session ------------------------------------------------------------------------------------------


def test_it_runs_the_session_of_its_page_line_by_line(
    voiceclone: CommandLine,
    iflytek_account: ProviderAccount,
    wav: Path,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which is the provider's own; its ids are examples, and the second `upload` is another way to do what the first has done."""
    User.objects.create_user("you@example.com")
    monkeypatch.chdir(wav.parent)
    Path("article.txt").write_text("测试语音合成", encoding="utf-8")
    real = {"12345": "", "YOUR_RES_ID": ""}
    printed: dict[str, list[str]] = {}

    def run(line: str) -> None:
        before, _pipe, command = line.rpartition(" | ")
        program = shlex.split(command)
        assert program[:3] == ["python", "manage.py", "voiceclone"]
        ran = voiceclone(*(real.get(word, word) for word in program[3:]), piped=before.removeprefix("echo ").strip('"'))
        assert ran.status == 0, f"{line}\n{ran.err}"
        verb = " ".join(program[3:5]) if program[3] == "train" else program[3]
        printed.setdefault(verb, []).append(ran.out)
        if verb == "train create":
            real["12345"] = ran.out
        if verb == "train quick":
            real["YOUR_RES_ID"] = ran.out

    create = next(line for line in SESSION if " train create " in line)
    for line in filter(None, SESSION):
        if "--audio-url" in line:
            run(create)
        run(line)

    first, second = printed["train create"]
    assert printed["train upload"] == [first, second]
    assert printed["train submit"] == [second]
    assert printed["train status"][0].startswith("success\t")
    assert printed["synth"] == ["output.mp3", "hello.mp3", "article.mp3", "output.mp3", "output.mp3"]
    assert all(is_mp3(Path(name)) for name in printed["synth"])
    assert VoiceClone.objects.get(pk=printed["import"][0]).remote_id == printed["train quick"][0]
    trained = ["ifly:task/add", "ifly:submitWithAudio"]
    by_address = ["ifly:task/add", "ifly:audio/add", "ifly:submit"]
    assert sent(sandbox) == [*trained, *by_address, *trained, *["ifly:clone"] * 5]


def test_it_lists_the_texts_to_read(voiceclone: CommandLine) -> None:
    lines = voiceclone("train", "get-text").out.splitlines()
    assert len(lines) == 20
    assert lines[0].split("\t")[:2] == ["5001", "1"]
    listed = voiceclone("train", "get-text", "--json").json["textSegs"]
    assert [(each["textId"], each["segId"]) for each in listed][-1] == ("5001", "20")


def test_it_goes_through_the_session_with_a_file(voiceclone: CommandLine, sandbox: Sandbox, wav: Path) -> None:
    created = voiceclone("train", "create", "--name", "MyVoice", "--sex", "female", "--engine", "omni_v1")
    task = created.out
    assert task.isdecimal()
    assert voiceclone("train", "status", "--task-id", task).out == "draft"
    uploaded = voiceclone("train", "upload", "--task-id", task, "--audio", wav, "--text-id", "5001", "--seg-id", "1")
    assert (uploaded.status, uploaded.out) == (0, task)
    assert voiceclone("train", "submit", "--task-id", task).status == 0
    state, res_id = voiceclone("train", "status", "--task-id", task).out.split("\t")
    assert state == "success"
    assert TRAINED in res_id
    assert sent(sandbox) == ["ifly:task/add", "ifly:submitWithAudio"]


def test_it_goes_through_the_session_with_an_address(voiceclone: CommandLine, sandbox: Sandbox) -> None:
    task = voiceclone("train", "create", "--name", "MyVoice", "--sex", "1").out
    url = "https://example.com/voice.wav"
    arguments = ("--task-id", task, "--audio-url", url, "--text-id", "5001", "--seg-id", "1")
    assert voiceclone("train", "upload", *arguments).status == 0
    assert voiceclone("train", "status", "--task-id", task).out == "draft"
    assert voiceclone("train", "submit", "--task-id", task).status == 0
    assert voiceclone("train", "status", "--task-id", task).out.startswith("success\t")
    assert sent(sandbox) == ["ifly:task/add", "ifly:audio/add", "ifly:submit"]


def test_it_trains_in_one_go_and_waits(voiceclone: CommandLine, sandbox: Sandbox, wav: Path) -> None:
    sandbox.configure(train_seconds=0.5)
    arguments = ("--audio", wav, "--name", "MyVoice", "--sex", "female", "--wait", "--every", 0.2)
    made = voiceclone("train", "quick", *arguments)
    assert made.status == 0
    assert TRAINED in made.out
    assert "training" in made.err
    assert sent(sandbox) == ["ifly:task/add", "ifly:submitWithAudio"]


def test_it_prints_the_task_when_it_does_not_wait(voiceclone: CommandLine, wav: Path) -> None:
    made = voiceclone("train", "quick", "--audio", wav, "--name", "MyVoice", "--json")
    assert made.json["task_id"].isdecimal()
    assert made.json["state"] == "training"


def test_it_speaks_as_the_document_says(
    voiceclone: CommandLine, res_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    article = tmp_path / "article.txt"
    article.write_text("\ufeff测试语音合成", encoding="utf-8")
    assert voiceclone("synth", HELLO, "--res-id", res_id).out == "output.mp3"
    assert voiceclone("synth", "Hello world", "--res-id", res_id, "--output", "hello.mp3").status == 0
    assert voiceclone("synth", "--file", article, "--res-id", res_id, "-o", "article.mp3").status == 0
    assert voiceclone("synth", "--res-id", res_id, "-o", "piped.mp3", piped="测试语音合成").status == 0
    faster = voiceclone(
        "synth", "快一点", "--res-id", res_id, "--speed", "70", "--volume", "80", "--json", "-o", "quick.mp3"
    )
    assert faster.json["characters"] == 3
    names = ("output", "hello", "article", "piped", "quick")
    assert all(is_mp3(tmp_path / f"{name}.mp3") for name in names)
    assert (tmp_path / "article.mp3").read_bytes() == (tmp_path / "piped.mp3").read_bytes()
    assert list(tmp_path.glob(".voiceclone-*")) == []


def test_it_sends_the_documents_defaults(
    voiceclone: CommandLine, res_id: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    voiceclone("synth", HELLO, "--res-id", res_id, "-o", tmp_path / "a.mp3", "--pitch", "40")
    (order,) = (entry.body for entry in sandbox.ledger.calls("ifly:clone"))
    tts = order["parameter"]["tts"]
    assert order["header"]["res_id"] == res_id
    assert tts["vcn"] == "x6_clone"
    assert (tts["audio"]["encoding"], tts["audio"]["sample_rate"]) == ("lame", 16000)
    assert (tts.get("speed", 50), tts.get("volume", 50), tts["pitch"]) == (50, 50, 40)


def test_it_writes_pcm_and_wav(
    voiceclone: CommandLine, res_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ("--res-id", res_id, "--sample-rate", "24000", "--format")
    assert voiceclone("synth", HELLO, *arguments, "pcm").out == "output.pcm"
    assert voiceclone("synth", HELLO, *arguments, "wav").out == "output.wav"
    assert (tmp_path / "output.wav").read_bytes()[:4] == b"RIFF"


# --- asked wrongly ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("train",),
        ("train", "create"),
        ("train", "upload", "--task-id", "1"),
        ("train", "upload", "--task-id", "1", "--audio", "a.wav", "--audio-url", "http://x/a.wav"),
        ("train", "create", "--name", "Voice", "--provider", "nobody"),
        ("train", "create", "--name", "Voice", "--engine", "omni_v9"),
        ("train", "create", "--name", "Voice", "--sex", "3"),
        ("train", "create", "--name", "Voice", "--set", "loud"),
        ("train", "create", "--name", "Voice", "--set", "loud=1"),
        ("train", "create", "--name", "声" * 61),
        ("synth", HELLO),
        ("synth", HELLO, "--res-id", "x", "--speed", "101"),
        ("synth", HELLO, "--res-id", "x", "--format", "speex"),
        ("synth", HELLO, "--res-id", "x", "--format", "opus"),
        ("synth", HELLO, "--res-id", "x", "--sample-rate", "11025"),
        ("synth", HELLO, "--res-id", "x", "--engine", "omni_v9"),
        ("synth", HELLO, "--res-id", "x", "--file", "there-is-no-such.txt"),
        ("synth", "--file", "there-is-no-such.txt", "--res-id", "x"),
        ("synth", "字" * 2001, "--res-id", "x"),
        ("synth", " ", "--res-id", "x"),
        ("import", "--res-id", "x", "--name", "Voice"),
    ],
    ids=lambda arguments: " ".join(arguments)[:60] or "nothing",
)
def test_it_ends_with_2_and_sends_nothing_when_asked_wrongly(
    voiceclone: CommandLine, sandbox: Sandbox, arguments: tuple[str, ...]
) -> None:
    ran = voiceclone(*arguments)
    assert ran.status == 2, ran
    assert ran.out == ""
    assert ran.err
    assert sent(sandbox) == []


def test_it_refuses_what_is_not_utf_8(voiceclone: CommandLine) -> None:
    ran = voiceclone("synth", "--res-id", "x", piped="测试".encode("gb18030"))
    assert ran.status == 2
    assert "UTF-8" in ran.err


def test_it_refuses_a_recording_that_will_not_do_before_anything_is_paid(
    voiceclone: CommandLine, sandbox: Sandbox, tmp_path: Path
) -> None:
    long = tmp_path / "long.wav"
    long.write_bytes(recording(CHINESE_WOMAN, 41))
    ran = voiceclone("train", "quick", "--audio", long, "--name", "MyVoice")
    assert ran.status == 2
    assert "40" in ran.err
    assert sent(sandbox) == []


def test_it_refuses_a_sentence_that_nobody_offers(voiceclone: CommandLine, wav: Path, sandbox: Sandbox) -> None:
    ran = voiceclone("train", "quick", "--audio", wav, "--name", "MyVoice", "--seg-id", "99")
    assert ran.status == 1
    assert sent(sandbox) == []


def test_it_says_why_a_file_cannot_be_written(
    voiceclone: CommandLine, res_id: str, tmp_path: Path, sandbox: Sandbox
) -> None:
    ran = voiceclone("synth", HELLO, "--res-id", res_id, "-o", tmp_path / "no" / "such" / "a.mp3")
    assert ran.status == 2
    assert sent(sandbox) == []


# --- refused, unwell, unknown ----------------------------------------------------------------------------------------


def test_it_ends_with_1_and_the_books_sentence_when_the_provider_refuses(
    voiceclone: CommandLine, tmp_path: Path
) -> None:
    ran = voiceclone("synth", HELLO, "--res-id", "a1b2c3d_ttsclone-a1b2c3d4-never", "-o", tmp_path / "a.mp3")
    assert ran.status == 1
    assert "26004" in ran.err
    assert "/help/errors/?q=26004#" in ran.err
    assert not (tmp_path / "a.mp3").exists()


def test_it_ends_with_1_for_a_task_that_is_not_there(voiceclone: CommandLine) -> None:
    ran = voiceclone("train", "status", "--task-id", "999")
    assert ran.status == 1
    assert "60000" in ran.err


def test_it_ends_with_1_and_the_reason_when_a_training_fails(
    voiceclone: CommandLine, sandbox: Sandbox, wav: Path
) -> None:
    sandbox.configure(train_seconds=60)
    task = voiceclone("train", "quick", "--audio", wav, "--name", "MyVoice").out
    sandbox.end_iflytek_training(task, failed_desc="音频与训练文本不一致")
    ran = voiceclone("train", "status", "--task-id", task)
    assert (ran.status, ran.out) == (1, "failed")
    assert "read exactly the chosen sentence" in ran.err


def test_it_ends_with_3_when_the_provider_cannot_be_reached(voiceclone: CommandLine, settings: Any) -> None:
    block = settings.PROVIDERS["iflytek"]
    nowhere = dict.fromkeys(block["sandbox_endpoints"], "http://127.0.0.1:9")
    settings.PROVIDERS = {**settings.PROVIDERS, "iflytek": {**block, "sandbox_endpoints": nowhere}}
    assert voiceclone("train", "get-text").status == 3


def test_it_ends_with_4_when_the_time_is_over_and_the_training_is_not(
    voiceclone: CommandLine, sandbox: Sandbox, wav: Path
) -> None:
    sandbox.configure(train_seconds=60)
    arguments = ("--audio", wav, "--name", "MyVoice", "--wait", "--every", 0.05, "--timeout", 0.1)
    ran = voiceclone("train", "quick", *arguments)
    assert ran.status == 4
    assert "train status" in ran.err


def test_it_ends_with_5_when_nobody_knows_and_pays_nothing_twice(
    voiceclone: CommandLine, sandbox: Sandbox, wav: Path
) -> None:
    """The answer to task/add is lost: a task may be there, but nobody knows its id."""
    sandbox.fail(operation="ifly:task/add", how="reset", at="after")
    ran = voiceclone("train", "quick", "--audio", wav, "--name", "MyVoice")
    assert ran.status == 5
    assert "before you repeat this" in ran.err
    assert sent(sandbox) == ["ifly:task/add"]


def test_it_looks_before_it_believes_that_a_recording_was_lost(
    voiceclone: CommandLine, sandbox: Sandbox, wav: Path
) -> None:
    """The recording arrived and only the answer was lost: the training is followed, not paid again."""
    sandbox.fail(operation="ifly:submitWithAudio", how="reset", at="after")
    ran = voiceclone("train", "quick", "--audio", wav, "--name", "MyVoice", "--wait", "--every", 0)
    assert ran.status == 0
    assert TRAINED in ran.out
    assert sent(sandbox).count("ifly:submitWithAudio") == 1


def test_it_says_that_a_recording_did_not_arrive(voiceclone: CommandLine, sandbox: Sandbox, wav: Path) -> None:
    sandbox.fail(operation="ifly:submitWithAudio", how="reset", at="before")
    ran = voiceclone("train", "quick", "--audio", wav, "--name", "MyVoice")
    assert ran.status == 5
    assert sent(sandbox).count("ifly:submitWithAudio") == 1


def test_it_never_trains_a_task_twice(voiceclone: CommandLine, sandbox: Sandbox, wav: Path) -> None:
    sandbox.configure(train_seconds=60)
    task = voiceclone("train", "quick", "--audio", wav, "--name", "MyVoice").out
    again = ("train", "upload", "--task-id", task, "--audio", wav)
    assert voiceclone(*again).status == 1
    sandbox.end_iflytek_training(task)
    assert voiceclone(*again).status == 1
    assert voiceclone("train", "submit", "--task-id", task).status == 0
    assert sent(sandbox) == ["ifly:task/add", "ifly:submitWithAudio"]


def test_it_goes_on_waiting_while_asking_fails(voiceclone: CommandLine, sandbox: Sandbox, wav: Path) -> None:
    sandbox.fail(operation="ifly:result", how="html", status=502, times=2)
    ran = voiceclone("train", "quick", "--audio", wav, "--name", "MyVoice", "--wait", "--every", 0)
    assert ran.status == 0
    assert TRAINED in ran.out


def test_it_leaves_what_was_there_when_a_stream_breaks(
    voiceclone: CommandLine, sandbox: Sandbox, res_id: str, tmp_path: Path
) -> None:
    target = tmp_path / "a.mp3"
    target.write_bytes(b"what was there")
    sandbox.fail(operation="ifly:clone", how="close", frame=3)
    ran = voiceclone("synth", HELLO * 5, "--res-id", res_id, "-o", target)
    assert ran.status in (1, 3)
    assert target.read_bytes() == b"what was there"
    assert list(tmp_path.glob(".voiceclone-*")) == []
    assert len(sandbox.ledger.calls("ifly:clone")) == 1


def test_its_page_documents_every_status_and_verb() -> None:
    documented = {int(number) for number in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    assert documented == {int(status) for status in Exit}
    for verb in ("get-text", "create", "upload", "submit", "status", "quick"):
        assert f"train {verb}" in PAGE


# --- other providers -------------------------------------------------------------------------------------------------


def test_it_trains_with_a_provider_that_does_it_in_one_call(
    voiceclone: CommandLine, samples: SampleServer, tmp_path: Path, sandbox: Sandbox
) -> None:
    url = samples.url(recording(WOMAN))
    provider = ("--provider", "aliyun")
    made = voiceclone("train", "quick", "--audio-url", url, "--name", "Annie", "--wait", "--every", 0, *provider)
    assert made.status == 0, made.err
    spoken = voiceclone(
        "synth", "Hello.", "--res-id", made.out, "-o", tmp_path / "a.mp3", "--set", "rate=1.2", *provider
    )
    assert spoken.status == 0, spoken.err
    assert is_mp3(tmp_path / "a.mp3")
    assert len(sandbox.ledger.calls("create_voice")) == 1


def test_it_says_where_the_steps_are_one(voiceclone: CommandLine, wav: Path) -> None:
    assert voiceclone("train", "create", "--name", "Annie", "--provider", "aliyun").status == 1
    local = voiceclone("train", "quick", "--audio", wav, "--name", "Annie", "--provider", "aliyun")
    assert local.status == 1
    assert "--user" in local.err
    assert voiceclone("train", "get-text", "--provider", "aliyun").out == ""


def test_it_trains_with_a_provider_that_keeps_names(voiceclone: CommandLine, samples: SampleServer) -> None:
    provider = ("--provider", "qiniu")
    url = samples.url(recording(WOMAN))
    voice = voiceclone("train", "create", "--name", "Annie", *provider).out
    assert voiceclone("train", "upload", "--task-id", voice, "--audio-url", url, *provider).status == 2
    assert voiceclone("train", "submit", "--task-id", voice, *provider).status == 1
    upload = voiceclone("train", "upload", "--task-id", voice, "--audio-url", url, "--name", "Annie", *provider)
    assert upload.status == 0, upload.err
    assert voiceclone("train", "status", "--task-id", voice, *provider).out == f"success\t{voice}"
    mute = voiceclone("synth", "Hello.", "--res-id", voice, *provider)
    assert mute.status == 1
    assert mute.err


def test_it_uses_the_account_of_the_environment(voiceclone: CommandLine, sandbox: Sandbox, settings: Any) -> None:
    block = settings.PROVIDERS["iflytek"]
    mine = {"app_id": "b2c3d4e5", "api_key": "m" * 32, "api_secret": "t" * 32}
    changed = {**block, "credentials": mine, "endpoints": block["sandbox_endpoints"]}
    settings.PROVIDERS = {**settings.PROVIDERS, "iflytek": changed}
    assert voiceclone("train", "get-text").status == 0
    assert sandbox.ledger.calls("ifly:traintext", account="iflytek-2")


# --- through the portal's records ------------------------------------------------------------------------------------


def test_it_makes_rows_for_a_user(
    voiceclone: CommandLine, iflytek_account: ProviderAccount, alice: User, charlie: User, wav: Path, tmp_path: Path
) -> None:
    mine = ("--user", "alice@example.com")
    arguments = ("--audio", wav, "--name", "MyVoice", "--sex", "female", "--wait", "--every", 0, "--consent")
    made = voiceclone("train", "quick", *arguments, *mine)
    assert made.status == 0, made.err
    voice = VoiceClone.objects.get(owner=alice)
    assert (voice.state, voice.remote_id) == ("Success", made.out)
    assert voice.consents.get().user_agent == "manage.py voiceclone"
    by_id = voiceclone("train", "status", "--task-id", voice.pk, *mine)
    assert by_id.out == f"success\t{voice.remote_id}"
    target = tmp_path / "a.mp3"
    spoken = voiceclone("synth", HELLO, "--res-id", voice.pk, "-o", target, *mine)
    assert spoken.status == 0, spoken.err
    job = alice.synthesis_jobs.get()
    assert job.state == "Success"
    assert job.audio_bytes == target.stat().st_size
    stranger = ("--user", "charlie@example.com")
    assert voiceclone("synth", HELLO, "--res-id", voice.pk, *stranger).status == 1
    assert voiceclone("synth", HELLO, "--res-id", voice.remote_id, *stranger).status == 1
    assert voiceclone("train", "status", "--task-id", voice.pk, *stranger).status == 1


def test_it_takes_no_recording_for_a_user_without_consent(
    voiceclone: CommandLine, iflytek_account: ProviderAccount, alice: User, wav: Path
) -> None:
    ran = voiceclone("train", "quick", "--audio", wav, "--name", "MyVoice", "--user", "alice@example.com")
    assert ran.status == 1
    assert "agreed" in ran.err
    assert not VoiceClone.objects.exists()


def test_it_leaves_the_steps_to_the_portal(
    voiceclone: CommandLine, iflytek_account: ProviderAccount, alice: User
) -> None:
    mine = ("--user", "alice@example.com")
    assert voiceclone("train", "create", "--name", "MyVoice", *mine).status == 2
    assert voiceclone("train", "submit", "--task-id", "1", *mine).status == 2
    assert len(voiceclone("train", "get-text", *mine).out.splitlines()) == 20
    assert voiceclone("train", "get-text", "--user", "nobody@example.com").status == 2


def test_it_leaves_the_training_to_the_worker_when_it_does_not_wait(
    voiceclone: CommandLine, iflytek_account: ProviderAccount, alice: User, wav: Path
) -> None:
    arguments = ("--audio", wav, "--name", "MyVoice", "--consent", "--user", "alice@example.com")
    made = voiceclone("train", "quick", *arguments)
    voice = VoiceClone.objects.get(pk=made.out)
    assert voice.state == "Init"
    for _round in range(3):
        let_time_pass()
    voice.refresh_from_db()
    assert voice.state == "Success"


def test_it_takes_over_a_voice(
    voiceclone: CommandLine, iflytek_account: ProviderAccount, alice: User, charlie: User, res_id: str
) -> None:
    taken = ("import", "--res-id", res_id, "--name", "Mine", "--consent", "--wait", "--every", 0)
    ran = voiceclone(*taken, "--user", "alice@example.com")
    assert (ran.status, ran.out) == (0, res_id), ran.err
    assert VoiceClone.objects.get(owner=alice).kind == "imported"
    assert voiceclone(*taken, "--user", "charlie@example.com").status == 1
    unknown = ("import", "--res-id", "nobodys", "--name", "Mine", "--consent", "--wait", "--every", 0)
    ran = voiceclone(*unknown, "--user", "charlie@example.com")
    assert ran.status == 1
    assert "26004" in ran.err


# --- as a process ----------------------------------------------------------------------------------------------------


def environment_of(sandbox: Sandbox, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(folder),
        "SANDBOX_PORT": str(sandbox.port),
        "LANG": "C.UTF-8",
        "PYTHONWARNINGS": "error",
    }


def test_it_fits_into_a_pipe(sandbox: Sandbox, tmp_path: Path, res_id: str) -> None:
    command = [sys.executable, str(ROOT / "manage.py"), "voiceclone", "synth", "--res-id", res_id, "-o", "-"]
    ran = subprocess.run(
        command,
        input="测试语音合成".encode(),
        capture_output=True,
        env=environment_of(sandbox, tmp_path),
        cwd=tmp_path,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    assert ran.stdout[:3] == b"ID3" or ran.stdout[0] == 0xFF
    assert b"mp3" in ran.stderr


def test_its_status_and_its_streams_are_a_scripts(sandbox: Sandbox, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "manage.py"), "voiceclone", "train", "status", "--task-id", "999"]
    ran = subprocess.run(
        command, capture_output=True, env=environment_of(sandbox, tmp_path), cwd=tmp_path, check=False, timeout=60
    )
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert b"Traceback" not in ran.stderr


@contextmanager
def heeding_ctrl_c() -> Iterator[None]:
    """A shell starts what runs in its background deaf to Ctrl-C, and programs pass that on; what starts in here hears it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_it_stops_at_ctrl_c_and_the_training_goes_on(sandbox: Sandbox, tmp_path: Path, wav: Path) -> None:
    sandbox.configure(train_seconds=60)
    command = [sys.executable, str(ROOT / "manage.py"), "voiceclone", "train", "quick", "--audio", str(wav)]
    with heeding_ctrl_c():
        process = subprocess.Popen(
            [*command, "--name", "MyVoice", "--wait"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment_of(sandbox, tmp_path),
            cwd=tmp_path,
            text=True,
            encoding="utf-8",
        )
    assert process.stderr is not None
    for line in process.stderr:
        if "training" in line and " s " in line:
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert "train status" in err
    (task,) = sandbox.iflytek_tasks()
    assert task["status"] == -1

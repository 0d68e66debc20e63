"""What people send as a recording, and what they are told about it."""

from __future__ import annotations

import io
import os
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from django.conf import settings
from django.core.files.base import File
from django.utils import translation
from numpy.typing import NDArray
from pytest_django import Settings

from tests import recordings
from tests.listening import listen
from voices import samples
from voices.errors import Busy, SampleRefused
from voices.inspection import Limits
from voices.providers.base import SampleRules
from voices.samples import Inspection, InspectionFailed
from voices.verdict import Finding

RULES = SampleRules(
    min_seconds=10,
    max_seconds=60,
    advised_seconds=(10, 20),
    min_speech_seconds=5,
    min_sample_rate=16_000,
    max_bytes=10 * 1024 * 1024,
    prepared_sample_rate=24_000,
)
PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    + b"\0" * 900
)


@pytest.fixture(autouse=True)
def _looked_at_once() -> None:
    """Here everything is looked at."""


@pytest.fixture(autouse=True)
def _nothing_is_left(settings: Settings, tmp_path: Path) -> Iterator[None]:
    """Whatever a test sends: no file in the upload directory, no descriptor, no process."""
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "uploads"
    settings.FILE_UPLOAD_TEMP_DIR.mkdir()
    yield
    assert list(settings.FILE_UPLOAD_TEMP_DIR.iterdir()) == []
    assert nameless_files(settings.FILE_UPLOAD_TEMP_DIR) == []
    assert inspections_running() == []


def nameless_files(folder: Path) -> list[str]:
    """Temporary files without a name that this process still holds open."""
    links = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [link for link in links if link.startswith(str(folder))]


def inspections_running() -> list[str]:
    ours = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            parent = f"PPid:\t{os.getpid()}\n" in status.read_text()
            if parent and b"voices.inspection" in status.with_name("cmdline").read_bytes():
                ours.append(status.parent.name)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return ours


def look(
    audio: bytes, *, filename: str = "me.wav", rules: SampleRules = RULES, limits: Limits | None = None
) -> Inspection:
    return samples.inspect(io.BytesIO(audio), rules=rules, filename=filename, limits=limits)


def told(inspection: Inspection) -> list[str]:
    with translation.override("en"):
        return [str(finding.sentence) for finding in inspection.findings]


def codes(inspection: Inspection) -> list[str]:
    return [finding.code for finding in inspection.findings]


def spoken(*, gain: float = 1.0, noise: float = 0.0, rate: int = 22050, seconds: float = 12) -> bytes:
    """A woman reading, with white noise of that RMS (full scale is 1) mixed in, turned up and cut off at full scale."""
    clean = recordings.reading(recordings.WOMAN, seconds)
    hiss = np.random.default_rng(7).normal(0, noise, len(clean)) if noise else 0
    mixed: NDArray[np.float32] = ((clean + hiss) * gain).astype(np.float32)
    return recordings.encoded(mixed, source_rate=22050, format="wav", rate=rate)


# --- what is taken ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["wav", "mp3", "m4a", "webm", "ogg", "flac"])
def test_it_takes_every_common_format(format: str) -> None:
    inspection = look(recordings.recording(format=format), filename=f"me.{format}")
    assert not inspection.refused, told(inspection)
    assert told(inspection) == []
    assert inspection.container == inspection.extension == format
    assert inspection.seconds == pytest.approx(12, abs=0.1)
    assert inspection.channels == 1


@pytest.mark.parametrize("voice", [recordings.MAN, recordings.WOMAN, recordings.CHINESE_WOMAN])
def test_it_prepares_a_mono_wav_with_the_same_voice(voice: str) -> None:
    original = recordings.recording(voice, rate=48000)
    f0 = listen(original).f0
    inspection = look(original)
    heard = listen(inspection.prepared)
    assert inspection.prepared[:4] == b"RIFF"
    assert inspection.prepared[22:24] == b"\x01\x00"
    assert heard.rate == 24_000
    assert heard.f0 == pytest.approx(f0, rel=0.05)
    assert inspection.measurements["f0"] == pytest.approx(heard.f0, rel=0.05)
    assert np.max(np.abs(heard.samples)) <= 10 ** (-1 / 20) + 0.001


def test_it_cuts_the_silence_at_both_ends() -> None:
    quiet = np.zeros(3 * 22050, dtype=np.float32)
    padded = np.concatenate([quiet, recordings.reading(recordings.MAN, 12), quiet])
    inspection = look(recordings.encoded(padded, source_rate=22050, format="wav", rate=24000))
    assert inspection.seconds == pytest.approx(18, abs=0.01)
    assert listen(inspection.prepared).duration == pytest.approx(12.4, abs=0.15)


def test_it_leaves_enough_silence_for_the_shortest_length_the_provider_takes() -> None:
    quiet = np.zeros(2 * 22050, dtype=np.float32)
    padded = np.concatenate([quiet, recordings.reading(recordings.MAN, 7), quiet])
    inspection = look(recordings.encoded(padded, source_rate=22050, format="wav", rate=24000))
    assert not inspection.refused, told(inspection)
    assert 10 <= listen(inspection.prepared).duration < 10.2


def test_it_raises_a_quiet_voice_and_says_so() -> None:
    inspection = look(spoken(gain=0.2))
    assert told(inspection) == [
        "The voice is rather quiet (-40 dBFS). It will be amplified, and the background noise with it."
    ]
    assert listen(inspection.prepared).loudness > listen(spoken(gain=0.2)).loudness + 15


def test_it_keeps_the_channel_that_holds_the_voice() -> None:
    voice = np.round(recordings.reading(recordings.MAN, 12) * 32767).astype("<i2")
    stereo = np.stack([voice, -voice, np.zeros_like(voice)], axis=1).tobytes()
    wav = _wav(stereo, channels=3, rate=22050)
    inspection = look(wav)
    assert inspection.channels == 3
    assert not inspection.refused, told(inspection)
    assert listen(inspection.prepared).voiced > 0.4


def test_it_leaves_the_upload_where_it_was(tmp_path: Path) -> None:
    audio = recordings.recording()
    (tmp_path / "me.wav").write_bytes(audio)
    with (tmp_path / "me.wav").open("rb") as opened:
        inspection = samples.inspect(File(opened), rules=RULES, filename="me.wav")
        assert opened.read() == audio
    assert inspection.size == len(audio)
    assert len(inspection.sha256) == 64


def test_it_shows_file_names_without_their_path() -> None:
    inspection = look(b"nothing", filename="C:\\Users\\me\\../../my\u202e\x00voice.wav")
    assert inspection.filename == "myvoice.wav"


def _wav(data: bytes, *, channels: int, rate: int) -> bytes:
    form = b"".join(
        number.to_bytes(size, "little")
        for number, size in ((1, 2), (channels, 2), (rate, 4), (rate * channels * 2, 4), (channels * 2, 2), (16, 2))
    )
    return (
        b"RIFF"
        + (36 + len(data)).to_bytes(4, "little")
        + b"WAVEfmt \x10\0\0\0"
        + form
        + b"data"
        + len(data).to_bytes(4, "little")
        + data
    )


# --- what is refused -------------------------------------------------------------------------------------------------

OTHERS = "Send WAV, MP3, M4A, WebM, OGG or FLAC"


@pytest.mark.parametrize(
    ("audio", "sentence"),
    [
        (b"", "The file is empty. Choose the recording again, or record it here."),
        (PNG, f"This is a PNG file, whatever its name says, and not a recording. {OTHERS}."),
        (
            b"Dear portal, this is my voice. " * 40,
            f"This file cannot be read as a recording. {OTHERS}; saving it once more as WAV",
        ),
        (b"\x00" * 5000, "This file cannot be read as a recording."),
        (b"RIFF\xff\xff\xff\xffWAVE", "This file cannot be read as a recording."),
        (recordings.recording(format="m4a")[:20000], "This file cannot be read as a recording."),
    ],
    ids=["empty", "png", "text", "zeros", "only a header", "m4a without its index"],
)
def test_it_refuses_what_is_no_recording(audio: bytes, sentence: str) -> None:
    inspection = look(audio)
    assert inspection.refused
    assert inspection.prepared == b""
    (only,) = told(inspection)
    assert only.startswith(sentence)


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:{port}/a.mp3\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile http://127.0.0.1:{port}/a.mp3\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n",
    ],
    ids=["hls", "concat", "sdp"],
)
def test_it_fetches_nothing_that_an_upload_names(playlist: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        inspection = look(playlist.format(port=server.getsockname()[1]).encode(), filename="me.mp3")
        with pytest.raises(BlockingIOError):
            server.accept()
    assert codes(inspection) in (["other_kind"], ["unreadable"])


def test_it_names_a_film_without_sound() -> None:
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as film:
        stream = film.add_stream("mpeg4", rate=5)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        film.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), dtype=np.uint8), format="rgb24")))
        film.mux(stream.encode(None))
    assert told(look(target.getvalue())) == ["This file has no sound track. Send a recording of the voice."]


def test_it_uses_what_is_left_of_a_truncated_mp3() -> None:
    whole = recordings.recording(format="mp3", seconds=20)
    inspection = look(whole[: len(whole) * 3 // 5])
    assert not inspection.refused
    (warning,) = told(inspection)
    assert warning.startswith("The file breaks off: it should last 20.0 s, but only 1")


def test_it_refuses_a_truncated_mp3_that_is_then_too_short() -> None:
    whole = recordings.recording(format="mp3")
    with pytest.raises(SampleRefused) as refused:
        samples.refuse(look(whole[: len(whole) // 3]))
    with translation.override("en"):
        assert [str(sentence) for sentence in refused.value.fields["sample"]] == [
            "The recording lasts 3.9 s, and at least 10 s are needed. Read a longer text.",
            "The file breaks off: it should last 12.0 s, but only 3.9 s could be read. Only these are used.",
        ]


def test_it_says_where_a_damaged_file_ends() -> None:
    whole = recordings.recording(format="flac", seconds=20)
    inspection = look(whole[: len(whole) * 3 // 5])
    assert not inspection.refused
    assert codes(inspection) == ["damaged"]


def test_it_refuses_silence() -> None:
    inspection = look(recordings.silence())
    assert told(inspection) == [
        "The recording is silent (loudest point -120 dBFS). Check that the right microphone is on, and record again."
    ]


@pytest.mark.parametrize("kind", ["tone", "beeps", "noise", "bursts"])
def test_it_refuses_sound_that_is_no_speech(kind: str) -> None:
    times = np.arange(12 * 24000) / 24000
    noise = np.random.default_rng(3).normal(0, 0.1, len(times))
    beep = 0.3 * np.sin(2 * np.pi * 440 * times)
    on = times % 1 < 0.5
    sound = {"tone": beep, "beeps": beep * on, "noise": noise, "bursts": noise * on}[kind]
    inspection = look(recordings.encoded(sound.astype(np.float32), source_rate=24000, format="wav", rate=24000))
    assert codes(inspection) == ["not_speech"]


def test_it_refuses_a_voice_that_is_too_quiet() -> None:
    (sentence, *_rest) = told(look(spoken(gain=0.05)))
    assert sentence.startswith("The voice is too quiet (-52 dBFS; -45 dBFS are needed).")


def test_it_refuses_an_overdriven_recording() -> None:
    (sentence, *_rest) = told(look(spoken(gain=8)))
    assert sentence.startswith("The recording is overdriven: 3.")


def test_it_warns_of_a_little_clipping() -> None:
    inspection = look(spoken(gain=4.5))
    assert not inspection.refused
    assert codes(inspection) == ["slightly_clipped"]


def test_it_refuses_a_voice_in_noise() -> None:
    (sentence, *_rest) = told(look(spoken(noise=0.03)))
    assert sentence.startswith("The voice stands only ")
    assert "10 dB are needed" in sentence


def test_it_warns_of_some_noise() -> None:
    inspection = look(spoken(noise=0.008))
    assert not inspection.refused
    assert codes(inspection) == ["slightly_noisy"]


def test_it_refuses_too_low_a_sample_rate() -> None:
    (sentence, *_rest) = told(look(recordings.recording(rate=8000)))
    assert sentence.startswith("The recording has 8000 Hz, and at least 16000 Hz are needed.")


def test_it_recognises_a_telephone_recording_behind_a_high_rate() -> None:
    telephone = listen(recordings.recording(rate=8000))
    inspection = look(recordings.encoded(telephone.samples, source_rate=8000, format="wav", rate=24000))
    assert not inspection.refused
    (warning,) = told(inspection)
    assert warning.startswith("The recording holds nothing above 4")


def test_it_refuses_too_little_speech_and_mentions_the_pause() -> None:
    words = recordings.reading(recordings.MAN, 2)
    gappy = np.concatenate([words, np.zeros(8 * 22050, dtype=np.float32), words])
    inspection = look(recordings.encoded(gappy, source_rate=22050, format="wav", rate=24000))
    assert codes(inspection) == ["too_little_speech", "long_pause"]


@pytest.mark.parametrize(
    ("seconds", "rules", "sentence"),
    [
        (9.96, RULES, "The recording lasts 9.9 s, and at least 10 s are needed."),
        (61, RULES, "The recording lasts 61.0 s, and at most 60 s are taken. Cut it to its best part."),
        (12, replace(RULES, max_bytes=480_044), "The recording lasts 12.0 s, and at most 10 s are taken."),
    ],
    ids=["too short", "too long", "too many bytes for the provider"],
)
def test_it_holds_the_length_against_the_providers_rules(seconds: float, rules: SampleRules, sentence: str) -> None:
    inspection = look(recordings.recording(seconds=seconds), rules=rules)
    assert inspection.refused
    assert told(inspection)[0].startswith(sentence)


def test_it_advises_a_better_length() -> None:
    assert codes(look(recordings.recording(seconds=30))) == ["longer_than_advised"]
    wide = replace(RULES, min_seconds=3, advised_seconds=(10, 20))
    assert codes(look(recordings.recording(seconds=7), rules=wide)) == ["shorter_than_advised"]


def test_it_refuses_a_file_over_the_limit_without_reading_it(settings: Settings) -> None:
    settings.MAX_SAMPLE_BYTES = 1024 * 1024
    inspection = look(b"\0" * (1024 * 1024 + 1))
    assert told(inspection) == ["The file is larger than 1 MB. Cut it to the part you want to use, or save it as MP3."]


def test_it_speaks_the_readers_language_when_it_is_read() -> None:
    finding = look(recordings.silence()).findings[0]
    stored = Finding.from_json(finding.as_json())
    with translation.override("en"):
        assert str(stored.sentence) == str(finding.sentence)
        assert "-120 dBFS" in str(stored.sentence)


# --- limits ----------------------------------------------------------------------------------------------------------


LENIENT = replace(RULES, max_seconds=290, max_bytes=1024 * 1024 * 1024)
ROOM = 3 * 1024 * 1024 * 1024
"""With these, almost five minutes of eight channels of noise are measured: five seconds of work, of which no machine makes one."""


def eight_channels(seconds: float, *, noise: bool = False) -> bytes:
    """Raw AAC that unpacks to a thousand times its size; less than that when it is not silent."""
    packed = np.zeros((1, 8 * 48 * 1024), dtype=np.float32)
    if noise:
        packed += 0.2 * np.random.default_rng(1).standard_normal(packed.shape, dtype=np.float32)
    frame = av.AudioFrame.from_ndarray(packed, format="flt", layout="7.1")
    frame.sample_rate = 96000
    planar = av.AudioResampler(format="fltp", layout="7.1", rate=96000, frame_size=1024)
    target = io.BytesIO()
    with av.open(target, "w", format="adts") as container:
        stream = container.add_stream("aac", rate=96000)
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.layout = "7.1"
        stream.codec_context.bit_rate = 128_000
        for piece in planar.resample(frame):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    half_a_second = target.getvalue()
    return half_a_second * round(seconds / 0.52)


def test_it_hears_eight_channels_to_their_end() -> None:
    inspection = look(eight_channels(55))
    assert inspection.channels == 8
    assert inspection.seconds == pytest.approx(55, abs=1)
    assert "silent" in codes(inspection)


def test_it_counts_a_bomb_of_silence_only_so_far() -> None:
    bomb = recordings.silence(seconds=420, format="flac", rate=16000)
    inspection = look(bomb)
    assert len(bomb) < 500_000
    assert told(inspection) == [
        "The recording lasts more than 300 s, and at most 60 s are taken. Cut it to its best part."
    ]


def test_it_stops_an_inspection_that_takes_too_long() -> None:
    inspection = look(eight_channels(280, noise=True), rules=LENIENT, limits=Limits(cpu=1, wall=20, address_space=ROOM))
    assert codes(inspection) == ["too_slow"]
    assert inspection.refused


def test_it_stops_an_inspection_that_waits_too_long() -> None:
    inspection = look(eight_channels(280, noise=True), rules=LENIENT, limits=Limits(cpu=20, wall=1, address_space=ROOM))
    assert codes(inspection) == ["too_slow"]


def test_it_stops_an_inspection_that_needs_too_much_memory() -> None:
    inspection = look(eight_channels(55), limits=Limits(address_space=300 * 1024 * 1024))
    assert codes(inspection) == ["too_demanding"]


def test_it_stops_an_inspection_that_writes_too_much() -> None:
    inspection = look(recordings.recording(), limits=Limits(output=64 * 1024))
    assert codes(inspection) == ["broke_inspection"]


def test_it_blames_nobody_when_the_program_itself_is_broken() -> None:
    with pytest.raises(InspectionFailed, match="install the requirements"):
        look(recordings.recording(), limits=Limits(address_space=64 * 1024 * 1024))


def test_it_asks_for_patience_when_all_places_are_taken() -> None:
    for _ in range(samples.AT_ONCE):
        samples.places.acquire()
    try:
        with pytest.raises(Busy) as busy:
            samples.inspect(io.BytesIO(b"x"), rules=RULES, filename="me.wav", patience=0.01)
    finally:
        for _ in range(samples.AT_ONCE):
            samples.places.release()
    assert busy.value.retry_after == 5


def test_it_serves_several_people_at_once() -> None:
    audio = recordings.recording()
    seen: list[bool] = []
    threads = [threading.Thread(target=lambda: seen.append(look(audio).refused)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [False] * 4


def test_it_survives_files_that_were_tampered_with() -> None:
    dice = random.Random(20261123)
    for format in ("wav", "mp3", "m4a", "webm", "ogg", "flac"):
        whole = recordings.recording(seconds=3, format=format)
        for _ in range(4):
            damaged = bytearray(whole)
            for _ in range(dice.choice((1, 20, 400))):
                damaged[dice.randrange(len(damaged))] = dice.randrange(256)
            start = dice.randrange(len(damaged))
            damaged[start : start + dice.choice((0, 16, 5000))] = b""
            inspection = look(bytes(damaged), rules=replace(RULES, min_seconds=1, min_speech_seconds=1))
            assert "broke_inspection" not in codes(inspection)
            assert all(told(inspection))


def test_it_keeps_the_decoder_out_of_the_web_process() -> None:
    program = "import django, sys; django.setup(); import voices.samples, voices.uploads, voices.sample_views, synthesis.audio; "
    check = "print(sorted({'av', 'numpy'} & set(sys.modules)))"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "voiceclone_site.settings",
        "DATA_DIR": str(settings.DATA_DIR),
    }
    ended = subprocess.run(
        [sys.executable, "-c", program + check],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "[]\n"


def test_it_hides_the_portals_secrets_from_the_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-real")
    assert "sk-real" not in str(samples.child_environment())

"""What a provider spoke, as a file."""

from __future__ import annotations

import io
import random
import wave
from pathlib import Path

import numpy as np
import pytest
from django.utils import translation

from synthesis import audio
from synthesis.errors import UnreadableAudio
from tests import recordings
from tests.listening import listen

HEADER = 44


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "spoken"


def wav(seconds: float = 3, rate: int = 24000) -> bytes:
    """With the plain header of 44 bytes that providers send; FFmpeg would add a chunk of its own."""
    return plain_wav(pcm(seconds, rate), rate=rate)


def pcm(seconds: float = 3, rate: int = 24000) -> bytes:
    samples = listen(recordings.recording(seconds=seconds, rate=rate)).samples
    return np.round(samples * 32767).astype("<i2").tobytes()


def plain_wav(data: bytes, *, rate: int) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as made:
        made.setnchannels(1)
        made.setsampwidth(2)
        made.setframerate(rate)
        made.writeframes(data)
    return target.getvalue()


def seconds_by_wave_module(path: Path) -> float:
    """Python's own reader believes the header, as many programs do."""
    with wave.open(str(path)) as opened:
        return float(opened.getnframes() / opened.getframerate())


# --- WAV -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "length", [0, 0xFFFFFFFF, 0x7FFFFFFF, 8000], ids=["zero", "all ones", "2 GB", "the first frame's"]
)
def test_it_corrects_the_lengths_of_a_streamed_wav(file: Path, length: int) -> None:
    whole = wav()
    streamed = bytearray(whole)
    streamed[4:8] = streamed[40:44] = length.to_bytes(4, "little")
    file.write_bytes(streamed)

    facts = audio.finish(file, "wav", sample_rate=24000)

    assert file.read_bytes() == whole
    assert seconds_by_wave_module(file) == facts.seconds == 3
    assert facts.sample_rate == 24000
    assert facts.bytes == len(whole)


def test_it_leaves_a_correct_wav_alone(file: Path) -> None:
    whole = wav() + b"LIST\x04\x00\x00\x00INFO"
    whole = whole[:4] + (len(whole) - 8).to_bytes(4, "little") + whole[8:]
    file.write_bytes(whole)
    assert audio.finish(file, "wav", sample_rate=24000).seconds == 3
    assert file.read_bytes() == whole


def test_it_finds_the_sound_behind_other_chunks(file: Path) -> None:
    made = recordings.recording(seconds=3)
    assert made[36:40] == b"LIST"
    file.write_bytes(made)
    assert audio.finish(file, "wav", sample_rate=24000).seconds == 3


def test_it_drops_half_a_sample_at_the_end(file: Path) -> None:
    streamed = wav()[:4] + b"\xff\xff\xff\xff" + wav()[8:40] + b"\xff\xff\xff\xff" + wav()[HEADER:] + b"\x01"
    file.write_bytes(streamed)
    assert audio.finish(file, "wav", sample_rate=24000).seconds == 3
    assert file.read_bytes() == wav()


def test_it_shortens_a_wav_that_was_cut_off(file: Path) -> None:
    file.write_bytes(wav()[: HEADER + 24000 * 2])
    assert audio.finish(file, "wav", sample_rate=24000).seconds == 1
    assert seconds_by_wave_module(file) == 1


def test_it_believes_the_file_about_its_sample_rate(file: Path) -> None:
    file.write_bytes(wav(rate=16000))
    facts = audio.finish(file, "wav", sample_rate=24000)
    assert (facts.sample_rate, facts.seconds) == (16000, 3)


def test_it_writes_a_header_for_sound_of_unknown_length() -> None:
    streamed = audio.streaming_wav_header(24000) + pcm()
    assert streamed[4:8] == streamed[40:44] == b"\xff\xff\xff\xff"
    assert listen(streamed).duration == 3
    assert listen(streamed).rate == 24000


# --- other formats ---------------------------------------------------------------------------------------------------


def test_it_measures_headerless_pcm_at_the_rate_asked_for(file: Path) -> None:
    file.write_bytes(pcm(rate=16000))
    facts = audio.finish(file, "pcm", sample_rate=16000)
    assert (facts.seconds, facts.sample_rate) == (3, 16000)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 24000, 44100, 48000])
def test_it_counts_the_frames_of_an_mp3(file: Path, rate: int) -> None:
    spoken = recordings.recording(seconds=3.3, format="mp3", rate=rate)
    file.write_bytes(spoken)
    facts = audio.finish(file, "mp3", sample_rate=24000)
    assert facts.sample_rate == rate
    assert facts.seconds == pytest.approx(listen(spoken).duration, abs=0.01)


def test_it_counts_an_mp3_that_came_in_pieces(file: Path) -> None:
    """A streamed one has no Xing tag, and a long text comes as several, each perhaps with tags of its own."""
    first, second = (recordings.recording(seconds=seconds, format="mp3") for seconds in (3, 2))
    tag = b"ID3\x04\x00\x00\x00\x00\x01\x00" + b"\xff\xfb\x90\x00" * 32
    file.write_bytes(tag + first + tag + second + b"TAG" + b"\0" * 125)
    assert audio.finish(file, "mp3", sample_rate=24000).seconds == pytest.approx(5, abs=0.06)


def test_it_counts_an_mp3_without_a_tag(file: Path) -> None:
    spoken = recordings.recording(seconds=3, format="mp3")
    start = spoken.index(b"\xff\xf3", spoken.index(b"Info" if b"Info" in spoken else b"Xing"))
    file.write_bytes(spoken[start:])
    assert audio.finish(file, "mp3", sample_rate=24000).seconds == pytest.approx(
        listen(spoken[start:]).duration, abs=0.06
    )


def test_it_does_not_count_a_frame_that_was_cut_off(file: Path) -> None:
    spoken = recordings.recording(seconds=3, format="mp3")[:-40]
    file.write_bytes(spoken)
    assert audio.finish(file, "mp3", sample_rate=24000).seconds == pytest.approx(listen(spoken).duration, abs=0.06)


def test_it_reads_the_length_of_an_opus_file_from_its_pages(file: Path) -> None:
    spoken = recordings.recording(seconds=3.3, format="ogg")
    file.write_bytes(spoken)
    facts = audio.finish(file, "opus", sample_rate=24000)
    assert facts.seconds == pytest.approx(listen(spoken).duration, abs=0.03)
    assert facts.sample_rate == 48000


def test_it_adds_up_opus_files_in_a_row(file: Path) -> None:
    file.write_bytes(b"".join(recordings.recording(seconds=seconds, format="ogg") for seconds in (2, 3)))
    assert audio.finish(file, "opus", sample_rate=24000).seconds == pytest.approx(5, abs=0.05)


NOTHING, A_BYTE, HALF_A_HEADER = b"", b"\x01", b"RIFF\0\0\0\0WAVEdata\x04\0\0\0"


@pytest.mark.parametrize(
    ("audio_format", "junk"),
    [(audio_format, junk) for audio_format in ("wav", "mp3", "opus") for junk in (NOTHING, A_BYTE, HALF_A_HEADER)]
    + [("pcm", NOTHING), ("pcm", A_BYTE)],
)
def test_it_says_when_the_provider_sent_no_sound(file: Path, audio_format: str, junk: bytes) -> None:
    file.write_bytes(junk)
    with pytest.raises(UnreadableAudio) as unreadable:
        audio.finish(file, audio_format, sample_rate=24000)
    assert unreadable.value.detail
    with translation.override("en"):
        assert str(unreadable.value.sentence).startswith("The provider sent something that is not a sound file.")


def test_it_survives_any_bytes(file: Path) -> None:
    dice = random.Random(20261123)
    for audio_format, whole in (
        ("wav", wav(1)),
        ("mp3", recordings.recording(seconds=1, format="mp3")),
        ("opus", recordings.recording(seconds=1, format="ogg")),
    ):
        for _ in range(100):
            damaged = bytearray(whole[: dice.randrange(len(whole))])
            for _ in range(min(len(damaged), dice.choice((1, 30)))):
                damaged[dice.randrange(min(len(damaged), dice.choice((64, 100000))))] = dice.randrange(256)
            file.write_bytes(damaged)
            try:
                facts = audio.finish(file, audio_format, sample_rate=24000)
            except UnreadableAudio:
                continue
            assert facts.seconds > 0


# --- for the player --------------------------------------------------------------------------------------------------


def test_it_draws_a_waveform(file: Path) -> None:
    half = (np.sin(np.arange(24000) / 10) * 16383).astype("<i2").tobytes()
    file.write_bytes(plain_wav(b"\0\0" * 24000 + half, rate=24000))
    peaks = audio.waveform(file, "wav", sample_rate=24000, points=10)
    assert peaks == pytest.approx([0] * 5 + [0.5] * 5, abs=0.01)
    file.write_bytes(b"\0\0" * 24000 + half)
    assert audio.waveform(file, "pcm", sample_rate=24000, points=10) == peaks


def test_it_draws_no_waveform_of_what_it_would_have_to_decode(file: Path) -> None:
    file.write_bytes(recordings.recording(seconds=3, format="mp3"))
    assert audio.waveform(file, "mp3", sample_rate=24000) == []


@pytest.mark.parametrize(
    ("audio_format", "content_type", "ending"),
    [
        ("wav", "audio/wav", "wav"),
        ("mp3", "audio/mpeg", "mp3"),
        ("opus", "audio/ogg", "ogg"),
        ("pcm", "audio/pcm", "pcm"),
    ],
)
def test_it_knows_how_a_format_is_called(audio_format: str, content_type: str, ending: str) -> None:
    assert audio.content_type(audio_format) == content_type
    assert audio.extension(audio_format) == ending

"""What the trainer hears in a recording. It recognises no words: length and sound stand in for the comparison."""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass

import av
import numpy as np

from ..speech import decoding, quality
from ..speech.decoding import Recording, UndecodableError
from . import texts

EXTENSIONS = ("wav", "mp3", "m4a", "pcm")
MOST_BYTES = 3 * 1024 * 1024
MOST_SECONDS = 60.0
LEAST_RATE = 24000
_NOISY, _CLEAN = 5.0, 35.0
MISMATCH = "音频与训练文本不一致，请按照所选文本朗读后重新提交"


@dataclass(frozen=True)
class Upload:
    audio: bytes
    name: str

    @property
    def extension(self) -> str:
        return self.name.rpartition(".")[2].lower() if "." in self.name else ""


def complaint(upload: Upload, *, sentence: str, mos_ratio: float) -> str:
    """Why training fails, in the vendor's language; empty when it does not. Heavy: for the studio's threads."""
    if upload.extension not in EXTENSIONS:
        return f"音频格式不支持：{upload.extension or '无扩展名'}，仅支持wav、mp3、m4a、pcm"
    if len(upload.audio) > MOST_BYTES:
        return "音频文件过大，不能超过3MB"
    if upload.extension == "wav" and (found := _wav_complaint(upload.audio)):
        return found
    try:
        recording = decoding.decode(as_file(upload), most_seconds=MOST_SECONDS + 1)
        if _channels(as_file(upload)) != 1:
            return "音频声道数不符合要求，必须为单声道"
    except UndecodableError:
        return "音频文件无法解析"
    if recording.rate < LEAST_RATE:
        return f"音频采样率过低：{recording.rate}，不能低于24000"
    return _heard_complaint(recording, sentence=sentence, mos_ratio=mos_ratio)


def _wav_complaint(audio: bytes) -> str:
    try:
        with wave.open(io.BytesIO(audio)) as file:
            if file.getnchannels() != 1:
                return "音频声道数不符合要求，必须为单声道"
            if file.getsampwidth() != 2:
                return "音频位深不符合要求，必须为16bit"
    except (wave.Error, EOFError):
        return "音频文件无法解析"
    return ""


def _channels(audio: bytes) -> int:
    with av.open(io.BytesIO(audio), "r") as container:
        return container.streams.audio[0].codec_context.channels


def _heard_complaint(recording: Recording, *, sentence: str, mos_ratio: float) -> str:
    if recording.seconds > MOST_SECONDS:
        return "音频时长过长，不能超过60秒"
    heard = quality.assess(recording)
    if not heard.is_speech:
        return "未检测到有效人声，请在安静环境下重新录制"
    shortest, longest = texts.plausible_seconds(sentence)
    if heard.active_seconds < shortest:
        return f"{MISMATCH}（有效语音{heard.active_seconds:.1f}秒，过短）"
    if heard.active_seconds > longest:
        return f"{MISMATCH}（有效语音{heard.active_seconds:.1f}秒，过长）"
    score = mos(heard.signal_to_noise)
    if mos_ratio and score <= mos_ratio:
        return f"音频质量检测不通过，得分{score:.1f}，要求高于{mos_ratio:.1f}"
    return ""


def mos(signal_to_noise: float) -> float:
    """A stand-in for the vendor's quality score: 1 at 5 dB over the noise, 5 from 35 dB on."""
    return float(1 + 4 * np.clip((signal_to_noise - _NOISY) / (_CLEAN - _NOISY), 0, 1))


def as_file(upload: Upload) -> bytes:
    """The bytes with a header: headerless pcm is taken for 24 kHz, 16 bit, mono."""
    if upload.extension != "pcm":
        return upload.audio
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(LEAST_RATE)
        file.writeframes(upload.audio[: len(upload.audio) // 2 * 2])
    return target.getvalue()

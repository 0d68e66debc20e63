"""The one door to espeak-ng 1.52, through ctypes.

espeak-ng is GPL-3.0-or-later and keeps global state: it is loaded on first use, only in the sandbox's process, and
every call holds one lock (upstream issues 495 and 1527 report callers hearing each other's text).
"""

from __future__ import annotations

import atexit
import ctypes
import os
import shutil
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

RATE = 22050
"""Sample rate of everything espeak-ng returns, in Hz."""

DEFAULT_WORDS_PER_MINUTE = 175

# espeak-ng truncates a longer path, then falls back to the path of its own build machine (measured at 184 characters).
_LONGEST_DATA_PATH = 150
# Not AUDIO_OUTPUT_RETRIEVAL (1): in this build it answers from a thread of its own, after espeak_Synth has returned.
_SYNCHRONOUS = 2
_PHONEME_EVENTS = 0x1
_PREFIX = "voiceclone-espeak-"
_DO_NOT_EXIT = 0x8000
_UTF8 = 1
_POSITION_CHARACTER = 1
_PARAMETER_RATE, _PARAMETER_VOLUME, _PARAMETER_PITCH, _PARAMETER_RANGE = 1, 2, 3, 4
_EVENT_NONE, _EVENT_WORD, _EVENT_PHONEME = 0, 1, 7
_SCRATCH_VARIANT = "sandboxvoice"


class EspeakError(RuntimeError):
    """espeak-ng could not be started or refused a voice; the message says which and what to do."""


@dataclass(frozen=True)
class Word:
    """One word (in Chinese: one character) of the spoken text."""

    start: int
    """First character, counted from 0."""
    end: int
    """One past the last character."""
    begin_ms: int


@dataclass(frozen=True)
class Phoneme:
    name: str
    """espeak-ng's mnemonic, without tone; pauses begin with "_", switches of language are in brackets."""
    begin: int
    """In samples at RATE. A phoneme ends where the next begins."""
    word: int
    """Index of the word it belongs to; -1 before the first."""


@dataclass(frozen=True)
class Speech:
    samples: NDArray[np.float32]
    """Mono, -1..1, at RATE."""
    words: tuple[Word, ...]
    phonemes: tuple[Phoneme, ...] = ()


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class _Engine:
    library: ctypes.CDLL
    libc: ctypes.CDLL
    variants: Path


_lock = threading.Lock()
_engine: _Engine | None = None
_chunks: list[bytes] = []
_words: list[tuple[int, int, int]] = []
_phonemes: list[Phoneme] = []


def _collect(wav: ctypes._Pointer[ctypes.c_short], count: int, events: ctypes._Pointer[_Event]) -> int:
    if wav and count > 0:
        _chunks.append(ctypes.string_at(wav, count * 2))
    index = 0
    while events[index].type != _EVENT_NONE:
        event = events[index]
        if event.type == _EVENT_WORD:
            _words.append((event.text_position, event.length, event.audio_position))
        elif event.type == _EVENT_PHONEME:
            name = event.id.string.decode("ascii", "replace")
            _phonemes.append(Phoneme(name=name, begin=event.sample, word=len(_words) - 1))
        index += 1
    return 0


_callback = _Callback(_collect)


def _linked_data(root: Path) -> Path:
    """A short, private copy of the data directory made of links, whose list of variants can be written to."""
    source = Path(espeakng_loader.get_data_path())
    data = root / "espeak-ng-data"
    variants = data / "voices" / "!v"
    variants.mkdir(parents=True)
    for entry in source.iterdir():
        if entry.name != "voices":
            (data / entry.name).symlink_to(entry)
    for variant in (source / "voices" / "!v").iterdir():
        (variants / variant.name).symlink_to(variant)
    return variants


def _sweep() -> None:
    """Remove the directories of processes that were killed before they could do it themselves."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        owner = left.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdecimal() and not _is_alive(int(owner)):
            # Another user's cannot be removed, and another process may have been quicker.
            shutil.rmtree(left, ignore_errors=True)


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _start() -> _Engine:
    _sweep()
    root = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    if len(str(root)) > _LONGEST_DATA_PATH:
        raise EspeakError(
            f"espeak-ng needs a short temporary directory, and {root} is too long: set TMPDIR to a short one."
        )
    variants = _linked_data(root)
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_uint,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_uint,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, str(root).encode(), _DO_NOT_EXIT | _PHONEME_EVENTS)
    if rate != RATE:
        raise EspeakError(
            f"espeak-ng did not start (answered {rate}): reinstall espeakng-loader from requirements.txt."
        )
    library.espeak_SetSynthCallback(_callback)
    return _Engine(library=library, libc=ctypes.CDLL(None), variants=variants)


def speak(
    text: str,
    *,
    voice: str,
    variant: str = "",
    words_per_minute: int = DEFAULT_WORDS_PER_MINUTE,
    pitch: int = 50,
    pitch_range: int = 50,
    seed: int = 0,
) -> Speech:
    """Say `text` with an espeak-ng voice.

    `voice` is a language with or without a named variant ("cmn", "en-us+m3"); `variant` is instead the content of a
    variant file of our own. `words_per_minute` 80..450, `pitch` and `pitch_range` 0..99. Equal arguments in
    succession give equal samples when the variant says "flutter 0". Raises EspeakError for an unknown voice.
    """
    global _engine
    with _lock:
        engine = _engine = _engine or _start()
        if variant:
            (engine.variants / _SCRATCH_VARIANT).write_text(variant)
            voice = f"{voice}+{_SCRATCH_VARIANT}"
        _choose(engine, voice)
        for parameter, value in (
            (_PARAMETER_RATE, words_per_minute),
            (_PARAMETER_VOLUME, 100),
            (_PARAMETER_PITCH, pitch),
            (_PARAMETER_RANGE, pitch_range),
        ):
            engine.library.espeak_SetParameter(parameter, value, 0)
        # Flutter and aspiration draw from libc's generator; espeak_ng_SetRandSeed alone does not pin them (measured).
        engine.libc.srand(seed + 1)
        engine.library.espeak_ng_SetRandSeed(ctypes.c_long(seed + 1))
        _chunks.clear()
        _words.clear()
        _phonemes.clear()
        data = text.replace("\0", " ").encode("utf-8", "replace")
        engine.library.espeak_Synth(data, len(data) + 1, 0, _POSITION_CHARACTER, 0, _UTF8, None, None)
        pcm = b"".join(_chunks)
        spoken = tuple(
            Word(start=position - 1, end=position - 1 + length, begin_ms=begin) for position, length, begin in _words
        )
        phonemes = tuple(_phonemes)
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32) / 32768.0
    return Speech(samples=samples, words=spoken, phonemes=phonemes)


def transcribe(texts: Sequence[str], *, voice: str) -> list[str]:
    """How each text is pronounced, in espeak-ng's mnemonics with stress and tone. Raises EspeakError."""
    global _engine
    with _lock:
        engine = _engine = _engine or _start()
        _choose(engine, voice)
        return [_transcribed(engine, text) for text in texts]


def _transcribed(engine: _Engine, text: str) -> str:
    encoded = ctypes.create_string_buffer(text.replace("\0", " ").encode("utf-8", "replace"))
    rest = ctypes.c_void_p(ctypes.addressof(encoded))
    clauses: list[str] = []
    while rest.value:
        clause = engine.library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, 0)
        clauses.append((clause or b"").decode("ascii", "replace"))
    return " ".join(clauses)


def _choose(engine: _Engine, voice: str) -> None:
    if engine.library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise EspeakError(f"espeak-ng has no voice {voice!r}: see `lang` in its data directory for the names it has.")

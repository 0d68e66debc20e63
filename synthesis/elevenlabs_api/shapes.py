"""Our rows in their words. What they have and we do not is null or empty, never made up."""

from __future__ import annotations

from typing import Any

from synthesis import audio
from synthesis.models import SynthesisJob
from voices.models import Owner, VoiceClone, VoiceSample

State = VoiceClone.State

FINE_TUNING = {
    State.INIT: "queued",
    State.TRAINING: "fine_tuning",
    State.UNKNOWN: "delayed",
    State.SUCCESS: "fine_tuned",
    State.FAILED: "failed",
    State.EXPIRED: "failed",
}
"""Where their clients look for the state of a training."""
PREMADE, CLONED = "premade", "cloned"
OUR_LABELS = ("language", "provider")
"""Stand among the labels and are not the owner's to write."""


def voice(row: VoiceClone, *, asker: Owner) -> dict[str, Any]:
    is_owner = row.owner_id == asker.pk
    return {
        "voice_id": str(row.pk),
        "name": row.name,
        "category": PREMADE if row.is_stock else CLONED,
        "labels": {**row.labels, "language": row.language, "provider": row.provider},
        "description": row.description or None,
        "preview_url": None,
        "samples": [sample(each) for each in row.samples.all() if is_owner and each.erased_at is None],
        "settings": settings(row),
        "fine_tuning": fine_tuning(row),
        "voice_verification": {
            "requires_verification": False,
            "is_verified": not row.is_stock,
            "verification_failures": [],
            "verification_attempts_count": 0,
            "language": row.language,
        },
        "is_owner": is_owner,
        "permission_on_resource": "admin" if is_owner else "viewer",
        "created_at_unix": int(row.created_at.timestamp()),
        "available_for_tiers": [],
        "high_quality_base_model_ids": [],
        "verified_languages": [],
    }


def fine_tuning(row: VoiceClone) -> dict[str, Any]:
    state = FINE_TUNING.get(State(row.state), "failed")
    return {
        "is_allowed_to_fine_tune": not row.is_stock,
        "language": row.language,
        "state": {row.model: state},
        "progress": {row.model: {"queued": 0.0, "fine_tuned": 1.0}.get(state)},
        "message": {row.model: row.error_sentence},
        "verification_failures": [],
        "verification_attempts_count": 0,
        "manual_verification_requested": False,
    }


def settings(row: VoiceClone | None) -> dict[str, Any]:
    """Only the speed is something that our providers can turn."""
    return {
        "stability": None,
        "similarity_boost": None,
        "style": None,
        "use_speaker_boost": None,
        "speed": row.usual_speed if row else 1.0,
    }


def sample(row: VoiceSample) -> dict[str, Any]:
    return {
        "sample_id": str(row.pk),
        "file_name": row.filename,
        "mime_type": row.content_type,
        "size_bytes": row.size,
        "hash": row.sha256,
        "duration_secs": row.seconds,
    }


def history_item(job: SynthesisJob) -> dict[str, Any]:
    """Their counts are the account's before and after; ours begin at nothing with each item."""
    return {
        "history_item_id": str(job.pk),
        "request_id": job.provider_request_id or None,
        "voice_id": str(job.voice_id),
        "voice_name": job.voice.name,
        "voice_category": PREMADE if job.voice.is_stock else CLONED,
        "model_id": job.model,
        "text": job.text,
        "date_unix": int(job.created_at.timestamp()),
        "character_count_change_from": 0,
        "character_count_change_to": job.characters,
        "content_type": audio.content_type(job.audio_format),
        "output_format": f"{job.audio_format}_{job.sample_rate}",
        "state": "created",
        "source": "TTS",
        "settings": job.options,
    }

"""A training that somebody leads by hand, with a recording that the provider fetches by itself."""

from __future__ import annotations

from dataclasses import dataclass

from voices.providers.base import RemoteState, RemoteVoice, VoiceOrder
from voices.providers.iflytek.training import Training, reading


@dataclass(frozen=True, slots=True)
class IflytekSteps:
    training: Training

    def add_link(self, remote_id: str, order: VoiceOrder) -> None:
        self.training.add_audio_link(remote_id, read=reading(order.reading), url=order.sample_url)

    def begin(self, remote_id: str) -> RemoteVoice:
        self.training.submit(remote_id)
        return RemoteVoice(remote_id=remote_id, state=RemoteState.WORKING, raw_state="-1", request_id=remote_id)

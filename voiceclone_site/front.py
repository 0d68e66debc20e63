"""The one ASGI application: what streams speech goes to the relay, all else to Django in its threads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from synthesis import services
from synthesis.errors import Interrupted
from synthesis.relay import Relay
from voiceclone_site.django_threads import DjangoInThreads, Headers, Receive, Scope, Send
from voiceclone_site.speech import door
from voiceclone_site.speech.admission import MOST_TOGETHER, Admission, Admitted, Candidate, let_in
from voiceclone_site.speech.native import NATIVE
from voices.threads import Together


class Front:
    """`threads` for Django, `speech_threads` for the relay's database; `prepare_thread` is called in each before anything else."""

    def __init__(
        self, *, threads: int, speech_threads: int = 2, prepare_thread: Callable[[], None] | None = None
    ) -> None:
        self.relay = Relay(refuse=services.refuse, threads=speech_threads, prepare_thread=prepare_thread)
        self.admission: Admission = Together(
            self.relay.opening, let_in, most=MOST_TOGETHER, unwanted=self._nobody_waits
        )
        self._django = DjangoInThreads(threads=threads, hand_over=self._hand_over, prepare=prepare_thread)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif (found := door.dialect_of(scope)) is not None:
            await door.answer(self.relay, self.admission, *found, scope, receive, send)
        else:
            await self._django(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.relay.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.admission.rest()
        await self.relay.stop()
        await self._django.close()
        await send({"type": "lifespan.shutdown.complete"})

    def _nobody_waits(self, admitted: Admitted | Candidate) -> None:
        """It was begun for a request that was broken off meanwhile, as when the server is told to stop: it was never sent."""
        if isinstance(admitted, Admitted):
            self.relay.later(partial(self.relay.refuse, admitted.job, Interrupted()))

    async def _hand_over(self, job_id: str, headers: Headers, scope: Scope, receive: Receive, send: Send) -> None:
        """A page's form goes the whole way through Django, cookie, CSRF token and all; its voice is the same relay's."""
        await door.take_over(self.relay, NATIVE, job_id, headers, scope, receive, send)

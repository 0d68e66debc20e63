"""The lists of the API and of both dialects with a thousand rows and with a million, in PostgreSQL: time, ratio, queries.

    python -m tests.benchmarks.lists postgres://user@host/any

Of every kind there are so many rows. *Busy* has all jobs, tokens, messages and lines of the ledger: the most that one person can
have. *Small* has a thousand voices and a thousand jobs beside them, older than all others'. A voice has a thousand events. Medians
of the answers as the test client gets them, after one visit to warm up; *deep* is a tenth from the end.
"""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.benchmarks.rows import Pages, copied, main, tidied

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet
    from django.test import Client

    from voiceclone_site.accounts.models import User

COUNTS = (1_000, 1_000_000)
EACH = 1_000
YEAR = "interval '365 days'"


def pages(count: int) -> Pages:
    import django

    os.environ["REQUESTS_PER_MINUTE"] = "1000000"
    django.setup()
    from django.contrib.auth import get_user_model

    from synthesis.models import SynthesisJob
    from voiceclone_site.accounts.models import ApiToken
    from voices.models import VoiceClone, VoiceEvent, WebhookDelivery

    fill(count)
    busy, small = (get_user_model().objects.get(email=f"{name}@example.com") for name in ("busy", "small"))
    his, hers = program_of(busy), program_of(small)
    jobs = SynthesisJob.objects.filter(owner=busy)
    deliveries = WebhookDelivery.objects.all()
    webhook, batch = deliveries[0].endpoint_id, SynthesisJob.objects.filter(batch__isnull=False)[0].batch
    voice = jobs.earliest("created_at").voice_id
    mine = VoiceClone.objects.filter(pk=VoiceEvent.objects.earliest("at").row_id)
    mine.update(owner=busy)
    events = VoiceEvent.objects.filter(row=mine[0])
    messages = f"/api/v1/webhooks/{webhook}/deliveries"
    deep_job = deep(jobs.filter(state=SynthesisJob.State.SUCCESS))
    deep_voice = deep(VoiceClone.objects.filter(owner=small))
    after_voice = token_after(deep_voice)
    return {
        "voices": (hers, "/api/v1/voices"),
        "voices, deep": (hers, f"/api/v1/voices?{cursor_at(deep_voice.created_at)}"),
        "voices, part of the name": (hers, "/api/v1/voices?q=ce 77"),
        "voices, no such name": (hers, "/api/v1/voices?q=nothing"),
        "voices, failed": (hers, "/api/v1/voices?state=Failed"),
        "voices, stock": (hers, "/api/v1/voices?kind=stock"),
        "jobs of one who has all": (his, "/api/v1/jobs"),
        "jobs, 100 to a page": (his, "/api/v1/jobs?page_size=100"),
        "jobs, deep": (his, f"/api/v1/jobs?{cursor_at(deep_job.created_at)}"),
        "jobs, failed": (his, "/api/v1/jobs?state=Failed"),
        "jobs, waiting (there are none)": (his, "/api/v1/jobs?state=Queued"),
        "jobs of a voice": (his, f"/api/v1/jobs?voice={voice}"),
        "jobs of a batch": (his, f"/api/v1/jobs?batch={batch}"),
        "jobs of one who has few": (hers, "/api/v1/jobs"),
        "failed jobs of one who has few": (hers, "/api/v1/jobs?state=Failed"),
        "events of a voice": (his, f"/api/v1/voices/{mine[0].pk}/events"),
        "events, deep": (his, f"/api/v1/voices/{mine[0].pk}/events?{cursor_at(events.order_by('-at')[100].at)}"),
        "webhooks": (his, "/api/v1/webhooks"),
        "messages of a webhook": (his, messages),
        "messages, deep": (his, f"{messages}?{cursor_at(deep(deliveries).created_at)}"),
        "messages, failed": (his, f"{messages}?state=Failed"),
        "messages, waiting (there are none)": (his, f"{messages}?state=Waiting"),
        "tokens": (his, "/api/v1/tokens"),
        "tokens, deep": (his, f"/api/v1/tokens?{cursor_at(deep(ApiToken.objects.filter(owner=busy)).created_at)}"),
        "usage of 30 days, one who has all": (his, "/api/v1/usage"),
        "usage of a year, one who has all": (his, "/api/v1/usage?days=366"),
        "usage of a year, one who has few": (hers, "/api/v1/usage?days=366"),
        "quota": (his, "/api/v1/quota"),
        "operate: somebody by e-mail": (his, "/api/v1/operate/users?email=small@example.com"),
        "operate: accounts": (his, "/api/v1/operate/accounts"),
        "OpenAI models": (his, "/v1/models"),
        "OpenAI voices": (hers, "/v1/audio/voices"),
        "OpenAI voice consents": (hers, "/v1/audio/voice_consents"),
        "ElevenLabs voices": (hers, "/v1/voices"),
        "ElevenLabs voices, v2": (hers, "/v2/voices"),
        "ElevenLabs voices, deep": (hers, f"/v2/voices?next_page_token={after_voice}"),
        "ElevenLabs voices, searched": (hers, "/v2/voices?search=ce 77"),
        "ElevenLabs voices by name": (hers, "/v2/voices?sort=name"),
        "ElevenLabs history": (his, "/v1/history"),
        "ElevenLabs history, deep": (his, f"/v1/history?start_after_history_item_id={deep_job.pk}"),
        "ElevenLabs history, oldest first": (his, "/v1/history?sort_direction=asc"),
        "ElevenLabs history of a voice": (his, f"/v1/history?voice_id={voice}"),
        "ElevenLabs history, searched": (his, "/v1/history?search=天气"),
        "ElevenLabs history, nothing found": (his, "/v1/history?search=nothing"),
        "ElevenLabs usage of a year, all": (his, "/v1/usage/character-stats"),
        "ElevenLabs usage of a year, few": (hers, "/v1/usage/character-stats"),
        "ElevenLabs subscription": (his, "/v1/user/subscription"),
    }  # fmt: skip


def program_of(user: User) -> Client:
    from django.test import Client

    from voiceclone_site.accounts.services import issue_token, scopes_for

    scopes = [scope for scope, _label in scopes_for(user)]
    _row, token = issue_token(user, name="benchmark", scopes=scopes, expires_at=None)
    return Client(SERVER_NAME="127.0.0.1", headers={"authorization": f"Bearer {token.text}", "accept-language": "en"})


def deep(rows: QuerySet[Model]) -> Any:
    """The row that has a tenth of all behind it."""
    return rows.order_by("created_at", "pk")[rows.count() // 10]


def cursor_at(moment: Any) -> str:
    """As REST framework writes it into `next`."""
    return urlencode({"cursor": base64.b64encode(urlencode({"p": str(moment)}).encode()).decode()})


def token_after(voice: Any) -> str:
    from synthesis.elevenlabs_api import cursors

    return cursors.token_of(voice, "created_at")


def fill(count: int) -> None:
    """By the database itself, out of one row of each kind that the models have made."""
    from django.contrib.auth import get_user_model

    from synthesis.models import SynthesisJob
    from voiceclone_site.accounts.models import ApiToken
    from voices import stock
    from voices.models import (
        DeliveryEvent,
        LedgerEntry,
        ProviderAccount,
        VoiceClone,
        VoiceEvent,
        WebhookDelivery,
        WebhookEndpoint,
        WebhookEvent,
    )

    busy, small, others = (
        get_user_model().objects.create_user(f"{name}@example.com", None, is_staff=name == "busy")
        for name in ("busy", "small", "others")
    )
    account = ProviderAccount.objects.create(provider="aliyun", name="benchmark", voice_cap=10**7)
    stock.offer(ProviderAccount.objects.create(provider="iflytek", name="benchmark", voice_cap=10))
    model = account.traits.default_model
    voice = VoiceClone.objects.create(
        owner=others, account=account, provider="aliyun", name="Voice 0", model=model, language="zh",
        state=VoiceClone.State.SUCCESS, remote_id="benchmark-0",
    )  # fmt: skip
    event = VoiceEvent.objects.create(row=voice, kind="renamed", detail={"from": "A", "to": "B"})
    job = SynthesisJob.objects.create(
        owner=others, voice=voice, provider="aliyun", model=model, mode=SynthesisJob.Mode.BACKGROUND,
        state=SynthesisJob.State.SUCCESS, text="今天天气怎么样？", audio_format="mp3", sample_rate=24000, characters=15,
        characters_expected=15, seconds=2.5, audio_bytes=20_000, audio="speech/spoken.mp3",
    )  # fmt: skip
    held = LedgerEntry.objects.create(
        kind="hold", purpose="speech", row=job.pk, owner=busy, account=account, provider="aliyun", voice=voice.pk,
        characters=15, jobs=1, cost=3000, price=2_000_000,
    )  # fmt: skip
    webhook = WebhookEndpoint.objects.create(owner=busy, url="https://example.com/", events=WebhookEvent.values)
    delivery = WebhookDelivery.objects.create(
        endpoint=webhook, event="job.done", body="{}", state=WebhookDelivery.State.DELIVERED
    )
    attempt = DeliveryEvent.objects.create(row=delivery, kind="delivered", detail={"status": 200})
    token = ApiToken.objects.create(owner=busy, name="many", prefix="00000000", digest="", scopes=["speech"])
    moment, long_ago = f"now() - n * {YEAR} / {count}", f"now() - {YEAR} - n * interval '1 minute'"

    def voices(number: int, owner: User, *, kind: str, at: str) -> None:
        copied(
            VoiceClone, voice.pk, number, id=f"md5('{kind}' || n)::uuid", owner_id=str(owner.pk), name="'Voice ' || n",
            remote_id=f"'{kind}-' || n", tag=f"left('{kind}', 1) || lpad(n::text, 8, '0')", created_at=at,
            state="CASE WHEN n % 50 = 0 THEN 'Failed' ELSE 'Success' END",
        )  # fmt: skip

    voices(count, others, kind="others", at=moment)
    voices(EACH, small, kind="small", at=long_ago)
    voices(EACH, busy, kind="busy", at=moment)
    copied(
        VoiceEvent,
        event.pk,
        count,
        id="1000 + n",
        at=moment,
        row_id=f"md5('others' || (1 + n % {max(count // EACH, 1)}))::uuid",
    )

    def jobs(number: int, owner: User, *, kind: str, at: str) -> None:
        named, spoken_by = f"md5('job of {kind}' || n)::uuid", f"md5('{kind}' || (1 + n % {EACH}))::uuid"
        base = 10_000_000 if kind == "busy" else 1_000_000_000
        copied(
            SynthesisJob, job.pk, number, id=named, owner_id=str(owner.pk), created_at=at, updated_at=at, voice_id=spoken_by,
            provider_request_id="md5('request' || n)", state="CASE WHEN n % 50 = 0 THEN 'Failed' ELSE 'Success' END",
            audio="CASE WHEN n % 50 = 0 THEN '' ELSE 'speech/spoken.mp3' END",
            batch="CASE WHEN n % 100 < 10 THEN md5('batch' || n / 100)::uuid END",
        )  # fmt: skip
        line = {"row": named, "at": at, "day": f"({at})::date", "owner_id": str(owner.pk), "voice": spoken_by}
        copied(LedgerEntry, held.pk, number, id=f"{base} + n", **line)
        copied(
            LedgerEntry, held.pk, number, id=f"2 * {base} + n", kind="'settle'", hold_id=f"{base} + n", characters="0",
            jobs="-1", cost="0", milliseconds="2500", **line,
        )  # fmt: skip

    jobs(count, busy, kind="busy", at=moment)
    jobs(EACH, small, kind="small", at="now() - interval '300 days' - n * interval '1 minute'")
    copied(
        WebhookDelivery, delivery.pk, count, id="md5('delivery' || n)::uuid", created_at=moment,
        state="CASE WHEN n % 50 = 0 THEN 'Failed' ELSE 'Delivered' END",
    )  # fmt: skip
    copied(DeliveryEvent, attempt.pk, count // 10, id="1000 + n", row_id="md5('delivery' || n * 10)::uuid", at=moment)
    copied(ApiToken, token.pk, count, id="1000 + n", prefix="'z' || lpad(n::text, 7, '0')", created_at=moment)
    tidied()


if __name__ == "__main__":
    main("tests.benchmarks.lists", pages, counts=COUNTS, explained=str(__doc__))

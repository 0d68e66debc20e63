"""A million jobs in PostgreSQL next to ten thousand: the time of each page that lists or sums them, as a ratio, and its queries.

    python -m tests.benchmarks.million postgres://user@host/any

Everybody has a thousand jobs of the last year, with their lines in the ledger; there are ten people, and a thousand. One more
person has a tenth of all jobs. Medians of the pages as the test client gets them, after one visit to warm up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.rows import Pages, copied, main, tidied

if TYPE_CHECKING:
    from django.test import Client

    from voiceclone_site.accounts.models import User

COUNTS = (10_000, 1_000_000)
JOBS_EACH = 1_000
VOICES_EACH = 2


def pages(count: int) -> Pages:
    import django

    django.setup()
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.db import connection

    call_command("collectstatic", interactive=False, verbosity=0)
    fill(count)
    people = get_user_model().objects
    busy, somebody = people.get(email="busy@example.com"), people.get(email="person3@example.com")
    staff = people.create_superuser("operator@example.com", None)
    with connection.cursor() as cursor:
        cursor.execute("SELECT provider_request_id FROM synthesis_synthesisjob ORDER BY id LIMIT 1")
        (request_id,) = cursor.fetchone()
    jobs, ledger = "/admin/synthesis/synthesisjob/", "/admin/voices/ledgerentry/"
    asked = {
        "history": (somebody, "/history/"),
        "history, who has a tenth of all": (busy, "/history/"),
        "usage summary": (somebody, "/quota/"),
        "usage summary, a tenth of all": (busy, "/quota/"),
        "admin: status": (staff, "/admin/status/"),
        "admin: jobs": (staff, jobs),
        "admin: jobs, page 100": (staff, f"{jobs}?p=100"),
        "admin: failed jobs": (staff, f"{jobs}?state__exact=Failed"),
        "admin: jobs that need an operator": (staff, f"{jobs}?error_action=operator"),
        "admin: jobs of an idle account": (staff, f"{jobs}?voice__account__id__exact=2"),
        "admin: jobs by e-mail": (staff, f"{jobs}?q=person3@"),
        "admin: jobs by request id": (staff, f"{jobs}?q={request_id}"),
        "admin: jobs, nothing found": (staff, f"{jobs}?q=nothing-of-this-name"),
        "admin: ledger": (staff, ledger),
        "admin: ledger, trainings": (staff, f"{ledger}?purpose__exact=training"),
        "admin: voices by name": (staff, "/admin/voices/voiceclone/?q=Voice 1"),
        "admin: findings": (staff, "/admin/voices/finding/"),
        "admin: webhook messages": (staff, "/admin/voices/webhookdelivery/"),
    }
    return {name: (logged_in(user), address) for name, (user, address) in asked.items()}


def logged_in(user: User) -> Client:
    from django.test import Client

    client = Client(SERVER_NAME="127.0.0.1", headers={"accept-language": "en"})
    client.force_login(user)
    return client


def fill(count: int) -> None:
    """By the database itself, out of one row of each kind that the models have made."""
    from django.contrib.auth import get_user_model

    from synthesis.models import SynthesisJob
    from voices.models import LedgerEntry, ProviderAccount, VoiceClone

    people = get_user_model().objects
    busy = people.create_user("busy@example.com", None)
    number = count // JOBS_EACH
    people.bulk_create([people.model(email=f"person{each}@example.com") for each in range(number)])
    account = ProviderAccount.objects.create(provider="aliyun", name="benchmark", voice_cap=10**6)
    ProviderAccount.objects.create(provider="aliyun", name="idle")
    model = account.traits.default_model
    voice = VoiceClone.objects.create(
        owner=busy, account=account, provider="aliyun", name="Voice 0", model=model, language="zh",
        state=VoiceClone.State.SUCCESS, remote_id="benchmark-0",
    )  # fmt: skip
    job = SynthesisJob.objects.create(
        owner=busy, voice=voice, provider="aliyun", model=model, mode=SynthesisJob.Mode.BACKGROUND,
        state=SynthesisJob.State.SUCCESS, text="今天天气怎么样？", audio_format="mp3", sample_rate=24000, characters=15,
        characters_expected=15, seconds=2.5, audio_bytes=20_000,
    )  # fmt: skip
    held = LedgerEntry.objects.create(
        kind="hold", purpose="speech", row=job.pk, owner=busy, account=account, provider="aliyun", voice=voice.pk,
        characters=15, jobs=1, cost=3000, price=2_000_000,
    )  # fmt: skip
    first = people.filter(email__startswith="person").order_by("pk").values_list("pk", flat=True)[0]
    owner = f"CASE WHEN n % 10 = 0 THEN {busy.pk} ELSE {first} + n % {number} END"
    of_job, moment = "md5('job' || n)::uuid", f"now() - n * interval '365 days' / {count}"
    outcome = "CASE WHEN n % 50 = 0 THEN {} ELSE {} END".format
    copied(
        VoiceClone, voice.pk, number * VOICES_EACH, id="md5('voice' || n)::uuid", owner_id=f"{first} + n % {number}",
        name="'Voice ' || n", remote_id="'benchmark-' || n", tag="lpad(n::text, 9, '0')",
        created_at="now() - n * interval '1 minute'",
    )  # fmt: skip
    copied(
        SynthesisJob, job.pk, count, id=of_job, owner_id=owner, created_at=moment, updated_at=moment,
        voice_id=f"md5('voice' || (1 + n % {number * VOICES_EACH}))::uuid", provider_request_id="md5('request' || n)",
        state=outcome("'Failed'", "'Success'"), error_code=outcome("'rate_limited'", "''"),
        error_action="CASE WHEN n % 5000 = 0 THEN 'operator' WHEN n % 50 = 0 THEN 'provider' ELSE '' END",
    )  # fmt: skip
    copied(
        LedgerEntry, held.pk, count, id="1000000 + n", row=of_job, at=moment, day=f"({moment})::date", owner_id=owner,
        purpose="CASE WHEN n % 1000 = 0 THEN 'training' ELSE 'speech' END",
    )  # fmt: skip
    copied(
        LedgerEntry, held.pk, count, id="5000000 + n", row=of_job, at=moment, day=f"({moment})::date", owner_id=owner,
        kind="'settle'", hold_id="1000000 + n", characters="0", jobs="-1", cost="0", milliseconds="2500",
    )  # fmt: skip
    tidied()


if __name__ == "__main__":
    main("tests.benchmarks.million", pages, counts=COUNTS, explained=str(__doc__))

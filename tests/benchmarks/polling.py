"""A hundred and ten thousand voices in training at one account: provider calls a minute, and queries for each sweep.

    python -m tests.benchmarks.polling

The sandbox's ledger counts the calls. Ten minutes pass by the clock of the rows alone: whatever is due at the end of a minute is
swept and asked for, so that the figures are of calls and queries and not of this machine's speed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from tests.benchmarks.scratch import ROOT, scratch

COUNTS = (100, 10_000)
MINUTES = 10


def main() -> None:
    print(f"{'voices':>7} {'calls a minute':>15} {'queries a sweep':>16} {'queries a look':>15} {'seconds a look':>15}")
    for count in COUNTS:
        with scratch() as environment:
            command = [sys.executable, "-m", "tests.benchmarks.polling", "--child", str(count)]
            subprocess.run(command, cwd=ROOT, env={**environment, "DJANGO_SETTINGS_MODULE": SETTINGS}, check=True)


SETTINGS = "voiceclone_site.settings"


def child(count: int) -> None:
    import django

    django.setup()
    from django.db import connection
    from django.test.utils import CaptureQueriesContext
    from django.utils import timezone
    from django_q.models import OrmQ

    from voiceclone_site.accounts.models import User
    from voiceclone_site.sandbox import store
    from voiceclone_site.sandbox.options import for_tests
    from voiceclone_site.sandbox.running import running
    from voices import advancing, polling
    from voices.models import ProviderAccount, RateBucket, VoiceClone

    with tempfile.TemporaryDirectory() as folder, running(for_tests(Path(folder))) as sandbox:
        owner = User.objects.create_user("owner@example.com", None)
        account = ProviderAccount.objects.create(
            provider="aliyun",
            name="benchmark",
            credentials={"api_key": "sk-sandbox-aliyun-1"},
            endpoints={"http": sandbox.aliyun_http, "websocket": sandbox.aliyun_websocket},
            enrollment_rate=1000,
        )
        now, model = time.time(), account.traits.default_model
        names = [f"{model}-benchmark-{uuid.uuid4().hex}" for _voice in range(count)]
        with closing(store.connect(Path(folder))) as connection_there:
            connection_there.execute("BEGIN")
            connection_there.executemany(
                "INSERT INTO aliyun_voices VALUES (?, 'aliyun-1', ?, 'benchmark', 'DEPLOYING', 'OK', ?, '', ?, ?)",
                [(name, model, now + 86_400, now, now) for name in names],
            )
            connection_there.execute("COMMIT")
        VoiceClone.objects.bulk_create(
            (
                VoiceClone(
                    owner=owner, account=account, provider="aliyun", model=model, language="zh", name=name[-8:],
                    remote_id=name, state=VoiceClone.State.TRAINING, due_at=timezone.now(),
                    deadline=timezone.now() + timedelta(days=1),
                )
                for name in names
            ),
            batch_size=500,
        )  # fmt: skip

        sweeps: list[int] = []
        looks: list[int] = []
        seconds: list[float] = []
        passed = timedelta(0)
        while passed < timedelta(minutes=MINUTES):
            with CaptureQueriesContext(connection) as swept:
                advancing.sweep()
            sweeps.append(len(swept))
            OrmQ.objects.all().delete()
            if VoiceClone.objects.due().exists():
                begun = time.monotonic()
                with CaptureQueriesContext(connection) as asked:
                    polling.poll_account(account.pk)
                looks.append(len(asked))
                seconds.append(time.monotonic() - begun)
            due_at = VoiceClone.objects.order_by("due_at").values_list("due_at", flat=True)[0]
            assert due_at is not None
            step = max(due_at - timezone.now(), timedelta(seconds=0.1))
            passed += step
            VoiceClone.objects.update(due_at=timezone.now())
            RateBucket.objects.update(next_at=0)
        calls = len(sandbox.ledger.calls("list_voice")) + len(sandbox.ledger.calls("query_voice"))
        per_minute = calls / (passed / timedelta(minutes=1))
        print(
            f"{count:>7} {per_minute:>15.1f} {max(sweeps):>16} {max(looks):>15} {max(seconds):>15.1f}",
            flush=True,
        )


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS)
    if sys.argv[1:2] == ["--child"]:
        child(int(sys.argv[2]))
    else:
        main()

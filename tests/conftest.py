from importlib.util import find_spec

from tests.bucket import _s3, bucket
from tests.cast import (
    alice,
    alice_api,
    alice_client,
    charlie,
    charlie_api,
    charlie_client,
    dana,
    dana_client,
    nobody_api,
    visitor,
)
from tests.clockwork import clockwork, its_account, its_voice
from tests.front import portal
from tests.portal import (
    _listener,
    aliyun_account,
    iflytek_account,
    public_address,
    qiniu_account,
    speaking_qiniu_account,
)
from tests.prepared import django_db_modify_db_settings
from tests.providers.drivers import driver, make_driver
from tests.receiver import receiver
from tests.sample_server import samples
from tests.sandbox_server import sandbox, sandbox_server
from tests.studio import order_voice, ready_voice
from tests.surroundings import _cold_connections, _looked_at_once, _surroundings
from tests.together import pytest_xdist_make_scheduler

__all__ = [
    "_cold_connections",
    "_listener",
    "_looked_at_once",
    "_s3",
    "_surroundings",
    "alice",
    "alice_api",
    "alice_client",
    "aliyun_account",
    "bucket",
    "charlie",
    "charlie_api",
    "charlie_client",
    "clockwork",
    "dana",
    "dana_client",
    "django_db_modify_db_settings",
    "driver",
    "iflytek_account",
    "its_account",
    "its_voice",
    "make_driver",
    "nobody_api",
    "order_voice",
    "portal",
    "public_address",
    "pytest_xdist_make_scheduler",
    "qiniu_account",
    "ready_voice",
    "receiver",
    "samples",
    "sandbox",
    "sandbox_server",
    "speaking_qiniu_account",
    "visitor",
]

# script/test installs no browser driver; .ci/run does, and asks for these tests by `-m browser`.
collect_ignore = [] if find_spec("playwright") else ["browser"]

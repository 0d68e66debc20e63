"""The site's settings: one file, from the environment, and it boots with an empty one.

Every name read here stands in docs/settings.md; a test keeps that page complete.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from cryptography.fernet import Fernet
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from voiceclone_site.secrets_on_disk import kept_secret, refuse_weak

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "var"))).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)

DEBUG = env.bool("DEBUG", default=False)
PORT = env.int("PORT", default=8000)
THREADS = env.int("THREADS", default=16)
PUBLIC_BASE_URL = env.str("PUBLIC_BASE_URL", default=f"http://127.0.0.1:{PORT}").rstrip("/")
_public = urlsplit(PUBLIC_BASE_URL)
if _public.scheme not in {"http", "https"} or not _public.hostname:
    raise ImproperlyConfigured(
        f"PUBLIC_BASE_URL is {PUBLIC_BASE_URL!r}; give the whole address people type, such as https://voices.example.com"
    )
# Where the sandbox finds us: it fetches from this machine only, whatever people type.
LOOPBACK_BASE_URL = f"http://127.0.0.1:{PORT}"

SECRET_KEY = env.str("SECRET_KEY", default="") or kept_secret(DATA_DIR / "keys" / "secret_key")
if not DEBUG:
    refuse_weak(SECRET_KEY)
# Newest first: the first encrypts, all decrypt.
ENCRYPTION_KEYS = env.list("ENCRYPTION_KEYS", default=[]) or [
    kept_secret(DATA_DIR / "keys" / "encryption_key", make=lambda: Fernet.generate_key().decode())
]

# Loopback always: whoever starts the portal asks /readyz there, and the sandbox fetches samples from there.
ALLOWED_HOSTS = [*env.list("ALLOWED_HOSTS", default=[_public.hostname]), "localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS = [PUBLIC_BASE_URL]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "csp",
    "django_htmx",
    "django_q",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "voiceclone_site.accounts",
    "voiceclone_site.sandbox",
    "voiceclone_site.supervisor",
    "voices",
    "synthesis",
]

MIDDLEWARE = [
    "voiceclone_site.metrics.MetricsMiddleware",
    "voiceclone_site.requests.RequestIdMiddleware",
    "voiceclone_site.api.SlashlessMiddleware",
    "voiceclone_site.dialects.CrossOriginMiddleware",
    "voiceclone_site.accounts.limits.RateHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "voiceclone_site.requests.PermissionsPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "voiceclone_site.accounts.language.LanguageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "voiceclone_site.refusals.RefusalMiddleware",
]

ROOT_URLCONF = "voiceclone_site.urls"
ASGI_APPLICATION = "voiceclone_site.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "voiceclone_site.pages.site",
            ],
        },
    },
]

# --- database, cache, queue ---

DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'portal.sqlite3'}")}
DATABASES["default"]["CONN_MAX_AGE"] = 600
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE: a deferred transaction that upgrades after another commit fails at once with "database is locked",
    # whatever the timeout (74 % of read-then-write transactions, measured; docs/decisions/0002).
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        # 4000 pages, 16 MB, go from the log into the file at once: a spoken sentence changes the same forty or so, and at 1000 each
        # of them is copied four times as often.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=4000;",
    }
# What every spoken sentence asks is planned once for each connection to PostgreSQL (voices/plain_postgres.py).
PREPARED_STATEMENTS = env.bool("PREPARED_STATEMENTS", default=True)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="")
if REDIS_URL:
    CACHES = {"default": {"BACKEND": "voiceclone_site.caches.CountingRedis", "LOCATION": REDIS_URL}}
else:
    # Shared by all processes of this host: log-in rate limits and the queue's status live here.
    CACHES = {
        "default": {
            "BACKEND": "voiceclone_site.caches.CountingFiles",
            "LOCATION": DATA_DIR / "cache",
            # At 300, its default, somebody who guesses e-mail addresses would push the lock on a door out of the cache.
            "OPTIONS": {"MAX_ENTRIES": 20_000},
        }
    }

# The rows are the truth and a task is only a wake-up (docs/decisions/0001), so a task is never retried by the queue.
# `retry` counts from when a task is taken, and up to `queue_limit` + 1 tasks wait behind running ones: it has to outlast those.
WORKERS = env.int("WORKERS", default=2)
SLOW_WORKERS = env.int("SLOW_WORKERS", default=WORKERS)
STOP_SECONDS = env.int("STOP_SECONDS", default=10)
Q_CLUSTER = {
    "name": "default",
    "label": "django-q2",
    "broker_class": "voiceclone_site.supervisor.broker.ReportingORM",
    "orm": "default",
    "workers": WORKERS,
    "queue_limit": WORKERS,
    "timeout": 120,
    "retry": 480,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": -1,
    "catch_up": False,
    "poll": 0.2,
    "recycle": 200,
    "bulk": 1,
    "ALT_CLUSTERS": {
        # The one schedule is the default queue's.
        "slow": {"workers": SLOW_WORKERS, "queue_limit": SLOW_WORKERS, "retry": 5600, "scheduler": False},
    },
}

# --- people ---

AUTH_USER_MODEL = "accounts.User"
API_TOKEN_MODEL = "accounts.ApiToken"  # noqa: S105 — a model, no token
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "dashboard"
ACCOUNT_LOGOUT_REDIRECT_URL = "landing"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = env.str("EMAIL_VERIFICATION", default="optional")
ACCOUNT_ADAPTER = "voiceclone_site.accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {"add_email": "voiceclone_site.accounts.forms.AddressForm"}
ACCOUNT_MAX_EMAIL_ADDRESSES = 3
if ACCOUNT_EMAIL_VERIFICATION not in {"none", "optional", "mandatory"}:
    raise ImproperlyConfigured(
        f"EMAIL_VERIFICATION is {ACCOUNT_EMAIL_VERIFICATION!r}; give none, optional or mandatory."
    )
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_DEFAULT_HTTP_PROTOCOL = _public.scheme

EMAIL_URL = env.str("EMAIL_URL", default="")
if EMAIL_URL:
    vars().update(env.email_url_config(EMAIL_URL))
else:
    # Without a mail server every letter becomes a file, so that a password can still be reset on a bare machine.
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = DATA_DIR / "mail"
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default=f"voices@{_public.hostname}")

# --- what a browser may do ---

_https = _public.scheme == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
# A proxy in front of us says who is asking and whether by https; from anybody else those headers are a claim.
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=_https)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if BEHIND_PROXY else 0
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=_https)
SECURE_REDIRECT_EXEMPT = ["^livez$", "^readyz$", "^metrics$", "^samples/"]
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=3600 if _https else 0)
# Whether every other name of the domain speaks https only, the domain's owner alone can promise.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_REFERRER_POLICY = "same-origin"
CSRF_FAILURE_VIEW = "voiceclone_site.error_pages.csrf_failure"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "media-src": [SELF, "blob:"],
        "connect-src": [SELF],
        "worker-src": [SELF, "blob:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}
PERMISSIONS_POLICY = "microphone=(self), camera=(), geolocation=()"

# --- words ---

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("Simplified Chinese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "voiceclone_site" / "locale"]
FORMAT_MODULE_PATH = ["voiceclone_site.formats"]
TIME_ZONE = env.str("TIME_ZONE", default="Asia/Shanghai")
USE_TZ = True

# --- files ---

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)  # WhiteNoise warns of a directory that is not there
STATICFILES_DIRS = [BASE_DIR / "voiceclone_site" / "static"]
MEDIA_ROOT = DATA_DIR / "media"
S3_BUCKET = env.str("S3_BUCKET", default="")
S3_ENDPOINT_URL = env.str("S3_ENDPOINT_URL", default="")
if S3_BUCKET:
    _recordings = {
        "BACKEND": "voiceclone_site.object_storage.PrivateBucket",
        "OPTIONS": {
            "bucket_name": S3_BUCKET,
            "endpoint_url": S3_ENDPOINT_URL or None,
            "region_name": env.str("S3_REGION", default="") or None,
            "access_key": env.str("S3_ACCESS_KEY", default="") or None,
            "secret_key": env.str("S3_SECRET_KEY", default="") or None,
            "location": env.str("S3_PREFIX", default=""),
            "signature_version": env.str("S3_SIGNATURE", default="s3v4"),
            "addressing_style": env.str("S3_ADDRESSING", default="path"),
        },
    }
else:
    _recordings = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": MEDIA_ROOT}}
STORAGES: dict[str, dict[str, Any]] = {
    # Recordings are personal data: nothing in here has an address of its own; signed, expiring URLs hand out one object.
    "default": _recordings,
    "staticfiles": {"BACKEND": "voiceclone_site.static_files.GzippedStaticFiles"},
}
FILE_UPLOAD_HANDLERS = ["voices.uploads.BoundedUploadHandler"]
MAX_SAMPLE_BYTES = env.int("MAX_SAMPLE_BYTES", default=25 * 1024 * 1024)
SAMPLE_URL_SECONDS = env.int("SAMPLE_URL_SECONDS", default=2 * 3600)
# Where a provider fetches samples: "portal", beneath PUBLIC_BASE_URL, or "storage", from the bucket itself.
SAMPLE_URLS = env.str("SAMPLE_URLS", default="portal")

# For developing a receiver on this machine: webhooks may go to loopback, and by http; recordings may be fetched from there.
# Never on an open network, where whoever has an account would reach what listens here.
OUTWARD_LOOPBACK = env.bool("OUTWARD_LOOPBACK", default=False)

# --- the API ---

# Some clients of OpenAI's dialect list voices and models without a key. Then they see the stock voices, and nobody's own.
PUBLIC_VOICE_LIST = env.bool("PUBLIC_VOICE_LIST", default=False)
# Of a token that has no limit of its own, and of somebody with a browser.
REQUESTS_PER_MINUTE = env.int("REQUESTS_PER_MINUTE", default=600)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "voiceclone_site.accounts.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["voiceclone_site.accounts.permissions.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["voiceclone_site.accounts.limits.PerMinute"],
    "DEFAULT_PARSER_CLASSES": ["voiceclone_site.api.SafeJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "voiceclone_site.pagination.NewestFirst",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "voiceclone_site.dialects.exception_handler",
    "PAGE_SIZE": 20,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Voice Cloning Portal API",
    "DESCRIPTION": "Clone voices with several providers and hear them speak.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "VoiceState": "voices.models.VoiceClone.State",
        "JobState": "synthesis.models.SynthesisJob.State",
        "DeliveryState": "voices.webhook_models.WebhookDelivery.State",
        "WebhookEvent": "voices.webhook_models.WebhookEvent",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "voiceclone_site.openapi.refusals_everywhere",
        "voiceclone_site.examples.examples_everywhere",
        "voiceclone_site.messages.messages_everywhere",
    ],
}

# --- the providers: one block of equal shape each ---
# `credentials` and `endpoints` come from the environment, under the names that each provider's users already have.
# An account whose credentials are complete is a real one; otherwise the sandbox answers at `sandbox_endpoints`.
# `prices` are CNY, as decimal text: for 10 000 characters by engine (`*` for all others), and for one training.

# Whether the sandbox stands in for a provider without credentials; otherwise that provider is simply not offered.
SANDBOX = env.bool("SANDBOX", default=True)
SANDBOX_PORT = env.int("SANDBOX_PORT", default=8100)
SANDBOX_HOST = f"127.0.0.1:{SANDBOX_PORT}"

PROVIDERS: dict[str, dict[str, Any]] = {
    "aliyun": {
        "credentials": {"api_key": env.str("DASHSCOPE_API_KEY", default="")},
        "endpoints": {
            "http": env.str("DASHSCOPE_HTTP_BASE_URL", default="https://dashscope.aliyuncs.com/api/v1"),
            "websocket": env.str(
                "DASHSCOPE_WEBSOCKET_BASE_URL", default="wss://dashscope.aliyuncs.com/api-ws/v1/inference"
            ),
        },
        "prices": {
            "character_prices": env.dict("DASHSCOPE_CHARACTER_PRICES", default={}),
            "training_price": env.str("DASHSCOPE_TRAINING_PRICE", default="0"),
        },
        "sandbox_credentials": {"api_key": "sk-sandbox-aliyun-1"},
        "sandbox_endpoints": {
            "http": f"http://{SANDBOX_HOST}/api/v1",
            "websocket": f"ws://{SANDBOX_HOST}/api-ws/v1/inference",
        },
    },
    "iflytek": {
        "credentials": {
            "app_id": env.str("IFLY_APP_ID", default=""),
            "api_key": env.str("IFLY_API_KEY", default=""),
            "api_secret": env.str("IFLY_API_SECRET", default=""),
        },
        # The vendor's documents give http for the first two; a recording is no thing to send in the clear.
        "endpoints": {
            "token": env.str("IFLY_TOKEN_URL", default="https://avatar-hci.xfyousheng.com/aiauth/v1/token"),
            "train": env.str("IFLY_TRAIN_URL", default="https://opentrain.xfyousheng.com/voice_train"),
            "clone": env.str("IFLY_CLONE_URL", default="wss://cn-huabei-1.xf-yun.com/v1/private/voice_clone"),
            "tts": env.str("IFLY_TTS_URL", default="wss://cbm01.cn-huabei-1.xf-yun.com/v1/private/mcd9m97e6"),
        },
        "prices": {
            "character_prices": env.dict("IFLY_CHARACTER_PRICES", default={}),
            "training_price": env.str("IFLY_TRAINING_PRICE", default="0"),
        },
        "sandbox_credentials": {"app_id": "a1b2c3d4", "api_key": "k" * 32, "api_secret": "s" * 32},
        "sandbox_endpoints": {
            "token": f"http://{SANDBOX_HOST}/aiauth/v1/token",
            "train": f"http://{SANDBOX_HOST}/voice_train",
            "clone": f"ws://{SANDBOX_HOST}/v1/private/voice_clone",
            "tts": f"ws://{SANDBOX_HOST}/v1/private/mcd9m97e6",
        },
    },
    "qiniu": {
        "credentials": {"api_key": env.str("QINIU_API_KEY", default="")},
        "endpoints": {
            "http": env.str("QINIU_BASE_URL", default="https://xrobo.qiniu.com"),
            # Where a demo may be fetched from, besides the API's own host: these names and all beneath them.
            "demo_hosts": env.str(
                "QINIU_DEMO_HOSTS",
                default="qiniu.com,qiniuapi.com,qiniucs.com,qbox.me,qnssl.com,qiniudn.com,clouddn.com",
            ),
        },
        "prices": {
            "character_prices": env.dict("QINIU_CHARACTER_PRICES", default={}),
            "training_price": env.str("QINIU_TRAINING_PRICE", default="0"),
        },
        "sandbox_credentials": {"api_key": "qiniu-sandbox-1"},
        "sandbox_endpoints": {"http": f"http://{SANDBOX_HOST}"},
    },
}

# An experiment, off unless somebody asks: speech for Qiniu's clones by its AI-inference product (docs/providers.md). Another key.
QINIU_TTS_MODE = env.str("QINIU_TTS_MODE", default="off")
QINIU_TTS_API_KEY = env.str("QINIU_TTS_API_KEY", default="")
QINIU_TTS_URL = env.str("QINIU_TTS_URL", default="wss://api.qnaigc.com/v1/voice/tts")
if QINIU_TTS_MODE not in {"off", "aitoken"}:
    raise ImproperlyConfigured(f"QINIU_TTS_MODE is {QINIU_TTS_MODE!r}; give off or aitoken.")
if QINIU_TTS_MODE == "aitoken":
    if env.str("QINIU_API_KEY", default="") and not QINIU_TTS_API_KEY:
        raise ImproperlyConfigured(
            "QINIU_TTS_MODE is aitoken and QINIU_TTS_API_KEY is not set; give the key of its AI inference, or leave the mode off."
        )
    _experiment: dict[str, Any] = {
        "credentials": {"tts_api_key": QINIU_TTS_API_KEY},
        "endpoints": {"tts": QINIU_TTS_URL},
        "sandbox_credentials": {"tts_api_key": "sk-sandbox-qiniu-1"},
        "sandbox_endpoints": {"tts": f"ws://{SANDBOX_HOST}/v1/voice/tts"},
    }
    for _part, _more in _experiment.items():
        PROVIDERS["qiniu"][_part] |= _more
    PROVIDERS["qiniu"]["experiment"] = QINIU_TTS_MODE

# Whom `manage.py voiceclone` asks when it is not told: its verbs are this provider's own.
CLI_PROVIDER = env.str("CLI_PROVIDER", default="iflytek")

# --- logs and metrics ---

# Without it only staff see /metrics.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOG_FORMAT = env.str("LOG_FORMAT", default="line")
if LOG_FORMAT not in {"line", "json"}:
    raise ImproperlyConfigured(f"LOG_FORMAT is {LOG_FORMAT!r}; give line or json.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"redact": {"()": "voiceclone_site.logs.RedactSecrets"}},
    "formatters": {
        "line": {"()": "voiceclone_site.logs.LineFormatter"},
        "json": {"()": "voiceclone_site.logs.JSONFormatter"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["redact"]}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {"django-q": {"handlers": ["console"], "level": LOG_LEVEL, "propagate": False}},
}

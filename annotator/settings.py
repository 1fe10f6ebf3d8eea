"""Settings of every process, from the environment; fails loudly where one is wrong.

MARGINALIA_DATA   data folder (default: `data` beside this package)
DATABASE_URL      postgresql://USER:PASSWORD@HOST:PORT/NAME (default: SQLite in the data folder)
REDIS_URL         broker (default: the bundled Valkey's socket)
SECRET_KEY        the installation's key (default: made at the first start and kept in the data folder)
METRICS_TOKEN     lets a monitor on another machine read /metrics (default: this machine only)
                  These four may also be read from files: DATABASE_URL_FILE, REDIS_URL_FILE and so on.
AUDIT_HEADS_DIR   where the heads of the audit chains are written down daily; best on other storage (default: in the
                  data folder)
STATIC_ROOT       where the collected static files lie (default: in the data folder)
LOG_FORMAT        line, or json for one object a line (default: line)
LOG_REQUESTS      1 for a line a request: method, route, status, milliseconds, user (default: 0)
ALLOWED_HOSTS     comma-separated host names (default: this machine only)
HTTPS             1 behind a TLS proxy: secure cookies and HSTS, no sign-in links
IDLE_MINUTES      without activity, until a person is signed out (default: 15)
REQUIRE_TWO_FACTOR  1 where nobody goes on without a second factor at sign-in (default: 0)
LABELER           what reads notes first: gemma (the small model, by llama.cpp), transformers (a model by torch),
                  openai (a server), spacy (dictionaries and rules); default: transformers where LABELER_MODEL is set,
                  else gemma where its file has been fetched, else spacy. Web server and workers need the same
LABELER_MODEL     of transformers: an id like google/medgemma-1.5-4b-it, or a folder (default: the small model);
                  of openai: the model's name on the server
LABELER_ADAPTER   of transformers: the folder of a LoRA adapter for LABELER_MODEL
LABELER_DEVICE, LABELER_DTYPE, LABELER_QUANTIZATION, LABELER_BATCH, LABELER_BATCH_TOKENS
                  of transformers: cuda, mps or cpu; bfloat16 or float32; 4bit; requests at once, and their tokens
                  (default: what the machine can). Device and requests are those of adapters trained here too
LABELER_URL       of openai: https://HOST:PORT, or http:// for this machine; manage.py allow_server says which projects'
                  notes may go to another
LABELER_API_KEY   of openai, where the server wants a key; LABELER_API_KEY_FILE reads it from a file
LABELER_DIALECT   of openai: llama.cpp, vllm, or openai for any other (default)
LABELER_REVISION  of openai: which version of the model the server has, for the record
LABELER_CONCURRENCY  of openai: requests at once (default: 8)
LABELER_THREADS   of gemma: of llama.cpp (default: 1 on two cores, half of more)
LABEL_WORKERS     processes that read notes, under `make run` (default: 1)
TRAIN_WORKERS     processes that train models, under `make run` (default: 1)
WEB_PROCESSES     web processes of four threads each (default: 2)
MARGINALIA_CACHE  where the small model is kept between installations (default: ~/.cache/marginalia)
"""

import os
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF

from annotator import databases, labelers, runtime


def _flag(name: str) -> bool:
    value = os.environ.get(name, "0")
    if value not in {"0", "1"}:
        raise ValueError(f"{name} must be 0 or 1, not {value!r}")
    return value == "1"


def _forbid_sniffing(headers: Any, path: str, url: str) -> None:
    """Static files come before what says this of pages."""
    headers["X-Content-Type-Options"] = "nosniff"


def _minutes(name: str, default: int, *, least: int, most: int) -> int:
    value = os.environ.get(name) or str(default)
    if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
        raise ValueError(f"{name} must be a number from {least} to {most}, not {value!r}")
    return int(value)


BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = runtime.data_folder(Path(os.environ.get("MARGINALIA_DATA") or BASE_DIR / "data").absolute())
SOCKET_DIR = runtime.socket_folder(DATA_DIR)
SPOOL_DIR = runtime.data_folder(DATA_DIR / "spool")
BUILDS_DIR = runtime.data_folder(DATA_DIR / "builds")
MODELS_DIR = runtime.data_folder(DATA_DIR / "models", is_written=False)
AUDIT_HEADS_DIR = runtime.data_folder(Path(os.environ.get("AUDIT_HEADS_DIR") or DATA_DIR / "audit-heads").absolute())
SECRET_KEY = runtime.secret("SECRET_KEY") or runtime.secret_key(DATA_DIR)
DEBUG = False
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]").split(",")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "annotator.accounts.apps.AccountTables",
    "allauth.mfa",
    "drf_spectacular",
    "annotator",
]
MIDDLEWARE = [
    # First, so that static files carry none of the headers that say something of pages only.
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "annotator.web.requests.name_requests",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "annotator.metrics.count_requests",
    # After the static files, which come compressed. Both pad what they compress, and Django masks its CSRF token,
    # against attacks that read a secret from the size of a compressed answer.
    "annotator.web.compression.PlainRanges",
    "annotator.web.compression.compress_with_brotli",
    "annotator.web.middleware.no_store",
    "annotator.web.middleware.whole_sign_in_page",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "annotator.accounts.middleware.watch_session",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "annotator.accounts.middleware.first_things_first",
]
ROOT_URLCONF = "annotator.urls"
WSGI_APPLICATION = "annotator.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

_database_url = runtime.secret("DATABASE_URL")
DATABASES = {"default": databases.postgresql(_database_url) if _database_url else databases.sqlite(DATA_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "annotator.User"
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "home"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
MFA_ADAPTER = "annotator.accounts.two_factor.EncryptingAdapter"
MFA_TOTP_ISSUER = "Marginalia"
REQUIRE_TWO_FACTOR = _flag("REQUIRE_TWO_FACTOR")
IDLE_MINUTES = _minutes("IDLE_MINUTES", 15, least=3, most=12 * 60)
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_NAME = "marginalia_session"
CSRF_COOKIE_NAME = "marginalia_csrf"
CSRF_COOKIE_HTTPONLY = True
HTTPS = _flag("HTTPS")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
# The proxy redirects to TLS, and only its operator knows what else answers under the host's name.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

# No address takes files but the page of imports, whose own handler streams them to the spool and bounds them.
FILE_UPLOAD_HANDLERS = ["annotator.web.files.NoFiles"]
DATA_UPLOAD_MAX_NUMBER_FILES = 50_000
MAX_UPLOAD_BYTES = 2 * 1024**3
DATA_UPLOAD_MAX_NUMBER_FIELDS = 60_000

WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_ADD_HEADERS_FUNCTION = _forbid_sniffing
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(os.environ.get("STATIC_ROOT") or DATA_DIR / "static")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "annotator.web.static_files.StaticFiles"},
}

LANGUAGE_CODE = "en-gb"
TIME_ZONE = os.environ.get("TZ") or "UTC"
USE_TZ = True
USE_I18N = False

# Logs name things by id only: no addresses, no request bodies, no SQL, no note text, and of an error its class.
# A refused request is not worth a line. Naming "django" takes the handlers away that Django gives that logger.
LOG_FORMAT = os.environ.get("LOG_FORMAT") or "line"
if LOG_FORMAT not in {"line", "json"}:
    raise ValueError(f"LOG_FORMAT must be line or json, not {LOG_FORMAT!r}")
LOG_REQUESTS = _flag("LOG_REQUESTS")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "annotator.web.logs.SafeFormatter",
            "format": "{asctime} {levelname} {name} {message}",
            "style": "{",
        },
        "json": {"()": "annotator.web.logs.JsonFormatter"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "annotator": {"level": "INFO"},
        "llm_labeler": {"level": "INFO"},
        "django": {"level": "WARNING"},
        "django.db": {"level": "ERROR"},
        "django.request": {"level": "ERROR"},
        "django.security.csrf": {"level": "ERROR"},
        "celery.task": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        "gunicorn.error": {"handlers": ["console"], "level": "ERROR", "propagate": False},
    },
}

# The REST API: JSON only, a bearer token only. Each web process counts for itself what a token or an address has asked.
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["annotator.accounts.token_authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["annotator.web.api_bodies.JsonBody"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_THROTTLE_RATES": {"token": "600/min", "failure": "60/min"},
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "annotator.web.api_problems.problem_response",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Marginalia",
    "VERSION": "1",
    "DESCRIPTION": "Everything that the pages do, for programs. Offsets count Unicode code points of a note's text and "
    "are half-open: text[start:end] is the span. A token may do what its scopes and its user's role both allow.",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "AdjudicationStatus": "annotator.readings.models.Adjudication.Status",
        "ChangeKind": "annotator.builds.serializers.KINDS",
        "CommentKind": "annotator.annotations.models.Comment.Kind",
        "ImportStatus": "annotator.exchange.serializers.STATES",
        "JobStatus": "annotator.jobs.models.Job.Status",
        "NoticeKind": "annotator.notices.models.Kind",
        "ReviewStatus": "annotator.review.models.ReviewItem.Status",
        "RunStatus": "annotator.suggestions.models.LabelRun.Status",
        "TrainingKind": "annotator.training.models.TrainingRun.Kind",
    },
    "PATH_CONVERTER_OVERRIDES": {"id": {"type": "string", "pattern": "^[a-z2-7]{16}$"}},
    "ENABLE_DJANGO_DEPLOY_CHECK": False,
}

METRICS_DIR = SOCKET_DIR / "metrics"
# When it is imported, the client of Prometheus decides by this whether it counts for one process or for many.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(METRICS_DIR)
METRICS_TOKEN = runtime.secret("METRICS_TOKEN")

LABELER = labelers.chosen_name()
LABELERS = labelers.labelers(LABELER, data=DATA_DIR, sockets=SOCKET_DIR)
TORCH_PLACEMENT = labelers.placement()

# The database is the queue, Celery is the doorbell: see docs/design.md, section 8.
BROKER_SOCKET = SOCKET_DIR / "valkey.sock"
CELERY_BROKER_URL = runtime.secret("REDIS_URL") or f"redis+socket://{BROKER_SOCKET}?virtual_host=0"
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "main"
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_keepalive": True,
    "health_check_interval": 10,
    "socket_timeout": 15,
    "socket_connect_timeout": 5,
}

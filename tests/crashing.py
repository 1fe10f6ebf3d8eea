"""Settings of an installation that crashes where it is asked to, with note text in its hands."""

from annotator.settings import *  # noqa: F403
from annotator.settings import MIDDLEWARE as _OURS

MIDDLEWARE = [*_OURS, "tests.crashes.crash_on_demand"]
CELERY_IMPORTS = ("tests.crashes",)

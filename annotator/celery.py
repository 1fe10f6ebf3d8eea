"""The Celery application. Messages carry ids only; the state they speak of is in the database."""

import logging
import os

from celery import Celery

os.umask(0o077)
logging.captureWarnings(True)  # a warning's text may quote data: the log shows its place and class
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotator.settings")

app = Celery("annotator")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["annotator"])

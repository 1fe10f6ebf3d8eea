from django.apps import AppConfig


class AnnotatorConfig(AppConfig):
    name = "annotator"
    label = "annotator"

    def ready(self) -> None:
        # Every process that enqueues must know the application, or a message goes to Celery's default broker.
        from annotator import celery  # noqa: F401

"""Which readings are a person's alone."""

from __future__ import annotations

from django.db.models import Exists, OuterRef

from annotator.annotations.models import Annotation


def has_certified() -> Exists:
    """Whether certificates have accepted spans of an AnnotationSet: no person has said all of it, so it is nobody's
    agreement with a model.
    """
    return Exists(
        Annotation.objects.filter(set=OuterRef("pk"), certificate__isnull=False, status=Annotation.Status.LIVE)
    )

"""Targets as the REST API takes them."""

from __future__ import annotations

from rest_framework import serializers

from annotator.certificates.models import AcceptanceTarget
from annotator.routing.targets import HIGHEST_DELTA, HIGHEST_TARGET, LOWEST_DELTA, LOWEST_TARGET
from annotator.web.api import StrictSerializer


class NewTargetSerializer(StrictSerializer):
    """What is wanted of suggestions that are accepted without review."""

    label = serializers.CharField(  # type: ignore[assignment]  # a field of that name, which the framework allows
        required=False,
        default="",
        allow_blank=True,
        max_length=40,
        help_text="Left out for all labels together that have no target of their own.",
    )
    status = serializers.ChoiceField(AcceptanceTarget.Status.choices, default=AcceptanceTarget.Status.ON)
    target = serializers.FloatField(
        min_value=LOWEST_TARGET, max_value=HIGHEST_TARGET, help_text="The share of the accepted that is to be right."
    )
    delta = serializers.FloatField(
        default=0.05,
        min_value=LOWEST_DELTA,
        max_value=HIGHEST_DELTA,
        help_text="How likely a certificate may be false.",
    )

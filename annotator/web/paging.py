"""Paging of every list."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Page, Paginator
from django.http import HttpRequest

PAGE_SIZE = 50


def page_of(request: HttpRequest, items: Any, *, size: int = PAGE_SIZE) -> Page:
    """The page that `?page=` names; the nearest one where it names none."""
    return Paginator(items, size).get_page(request.GET.get("page"))

"""Lists are walked by cursor: page one thousand costs what page one costs, and nothing is shown twice while rows arrive."""

from __future__ import annotations

from rest_framework.pagination import CursorPagination


class NewestFirst(CursorPagination):
    ordering = ("-created_at", "-id")
    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = 100

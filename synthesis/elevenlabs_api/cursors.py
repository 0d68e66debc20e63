"""Where a list goes on: the values of its last row, opaque to whoever carries them."""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from voices.errors import InvalidInput

Row = TypeVar("Row", bound=Model)


def ordered(rows: QuerySet[Row], column: str, *, newest_first: bool) -> QuerySet[Row]:
    sign = "-" if newest_first else ""
    return rows.order_by(f"{sign}{column}", f"{sign}pk")


def beyond(rows: QuerySet[Row], column: str, value: Any, pk: Any, *, newest_first: bool) -> QuerySet[Row]:
    """The rows that follow this one in the order of `column`. The first condition alone bounds the walk through the index."""
    side = "lt" if newest_first else "gt"
    rest = Q(**{f"{column}__{side}": value}) | Q(**{column: value, f"pk__{side}": pk})
    return rows.filter(Q(**{f"{column}__{side}e": value}) & rest)


def token_of(row: Any, column: str) -> str:
    value = getattr(row, column)
    said = [value.isoformat() if isinstance(value, datetime) else value, str(row.pk)]
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode()


def from_token(token: str, column: str) -> tuple[Any, uuid.UUID]:
    """Raises InvalidInput for what `token_of` has not made for this column."""
    try:
        value, pk = json.loads(base64.urlsafe_b64decode(token.encode()))
        if not isinstance(value, str):
            raise ValueError(value)
        return (datetime.fromisoformat(value) if column == "created_at" else value), uuid.UUID(pk)
    except (ValueError, TypeError, AttributeError, binascii.Error):
        sentence = _("This is not a page token of this list. Begin again without one.")
        raise InvalidInput(fields={"next_page_token": [sentence]}) from None

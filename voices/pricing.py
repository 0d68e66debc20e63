"""What a provider asks for: CNY in whole millionths, never in floats, so that sums of any length are exact.

The price is, in this order: the account's own (an operator's contract), the settings', the engine's list price from Traits.
"""

from __future__ import annotations

import functools
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.conf import settings

from voices.models import Measure, ProviderAccount

MICRO = 1_000_000
"""Of a yuan."""
PER_CHARACTERS = 10_000


def of_characters(account: ProviderAccount, model: str) -> int:
    """Millionths of a yuan for 10 000 counted characters spoken by this engine."""
    prices: dict[str, str] = _block(account).get("character_prices", {})
    price: Any = account.character_price
    if price is None:
        price = prices.get(model, prices.get("*"))
    if price is None:
        price = str(account.traits.model(model).price)
    return _micro(price)


def of_training(account: ProviderAccount) -> int:
    """Millionths of a yuan for one training."""
    own = account.training_price
    return _micro(_block(account).get("training_price", "0") if own is None else own)


def cost_of(characters: int, price: int) -> int:
    """In millionths of a yuan, `price` being for 10 000 characters; halves are rounded up."""
    return (characters * price + PER_CHARACTERS // 2) // PER_CHARACTERS


def in_yuan(micro: int) -> Decimal:
    return Decimal(micro) / MICRO


def plain(measure: Measure, amount: int) -> float:
    """As programs are told of an amount that is counted: cost in yuan, all else as it is."""
    return float(in_yuan(amount)) if measure is Measure.COST else amount


def shown(cost: Decimal) -> str:
    """To a hundredth where there is that much, and to the first digits that count below that: ¥12.50, ¥0.0015."""
    return f"¥{cost:,.2f}" if cost >= 1 or not cost else f"¥{cost.quantize(Decimal('0.0001')):f}"


@functools.lru_cache(maxsize=256)
def _micro(yuan: Decimal | str) -> int:
    return int((Decimal(yuan) * MICRO).to_integral_value(rounding=ROUND_HALF_UP))


def _block(account: ProviderAccount) -> dict[str, Any]:
    block: dict[str, Any] = settings.PROVIDERS.get(account.provider, {}).get("prices", {})
    return block

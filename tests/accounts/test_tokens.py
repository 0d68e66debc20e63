from __future__ import annotations

import pytest

from voiceclone_site.accounts import tokens


def test_it_reads_back_what_it_made() -> None:
    token = tokens.make()
    assert tokens.parse(token.text) == token
    assert token.fits(token.digest)


def test_it_makes_another_one_each_time() -> None:
    made = {tokens.make().text for _time in range(200)}
    assert len(made) == 200


def test_it_has_the_documented_shape() -> None:
    text = tokens.make().text
    assert len(text) == len("vcp_") + 8 + 1 + 43 + 6
    assert text.removeprefix("vcp_").replace("_", "").isalnum()


def test_it_computes_the_checksum_that_a_scanner_would() -> None:
    # CRC-32 of "123456789" is 0xCBF43926 (the check value of the standard).
    assert tokens.checksum("123456789") == base62(0xCBF43926)


def test_it_tells_every_single_typo_from_a_token() -> None:
    text = tokens.make().text
    for place in range(4, len(text)):
        wrong = "x" if text[place] != "x" else "y"
        with pytest.raises(tokens.Malformed):
            tokens.parse(text[:place] + wrong + text[place + 1 :])


@pytest.mark.parametrize(
    "text",
    ["", "vcp_", "sk-1234567890abcdef1234567890abcdef", "vcp_" + "a" * 58, "　", "ｖcp_" + "0" * 58, "a" * 100_000],
)
def test_it_refuses_what_is_no_token_of_ours(text: str) -> None:
    with pytest.raises(tokens.Malformed):
        tokens.parse(text)


@pytest.mark.parametrize(
    "change", [str.upper, lambda text: text + "0", lambda text: text[:-1], lambda text: text + "\n"]
)
def test_it_refuses_a_token_that_was_mangled_on_its_way(change: object) -> None:
    assert callable(change)
    with pytest.raises(tokens.Malformed):
        tokens.parse(change(tokens.make().text))


def test_it_shows_no_secret_when_printed() -> None:
    token = tokens.make()
    assert token.text not in repr(token)


def base62(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = tokens.ALPHABET[digit] + digits
    return digits.rjust(6, "0")

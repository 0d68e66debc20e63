"""How each of iFlytek's services says no."""

from __future__ import annotations


class TokenRefusal(Exception):
    """A retcode of the token service, with HTTP 200."""

    def __init__(self, retcode: str, desc: str) -> None:
        super().__init__(f"{retcode} {desc}")
        self.retcode = retcode
        self.desc = desc


class TrainingRefusal(Exception):
    """A code of the training service, with HTTP 200."""

    def __init__(self, code: int, desc: str) -> None:
        super().__init__(f"{code} {desc}")
        self.code = code
        self.desc = desc


class HandshakeRefusal(Exception):
    """A plain HTTP answer in place of the upgrade."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.message = message


class SynthesisRefusal(Exception):
    """An error frame. The gateway closes the connection after it, the engine does not."""

    def __init__(self, code: int, message: str, *, closes: bool) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.closes = closes


def gateway(code: int, message: str) -> SynthesisRefusal:
    return SynthesisRefusal(code, message, closes=True)


def engine(code: int, message: str) -> SynthesisRefusal:
    return SynthesisRefusal(code, message, closes=False)


def invalid_parameters(faults: list[str]) -> SynthesisRefusal:
    """Each of `faults` ends in "; ", as the gateway's validator writes them."""
    return gateway(10163, "param validate error:" + "".join(faults))


def unlicensed() -> SynthesisRefusal:
    return gateway(11200, "LiccCheck failed, unauthenticated, err: licc limit")


def unknown_voice() -> SynthesisRefusal:
    return engine(26004, "invalid res_id, query res_id error, No data found in response")

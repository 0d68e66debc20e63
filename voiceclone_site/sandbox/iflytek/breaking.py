"""Making a synthesis break off on demand."""

from __future__ import annotations

from . import refusals
from .line import Line


async def break_line(line: Line) -> None:
    """Do what the line's fault says, if it is one that breaks a synthesis rather than a frame."""
    fault = line.fault
    if fault is None:
        return
    match fault.how:
        case "delay":
            await line.pause(fault.seconds)
        case "error" | "flat_error":
            code = int(fault.code) if fault.code.isdigit() else 10700
            raise refusals.engine(code, fault.message)
        case "close":
            await line.close("")
        case "drop" | "reset":
            line.cut(reset=fault.how == "reset")
        case "stall":
            await (line.pause(fault.seconds) if fault.seconds else line.hang())

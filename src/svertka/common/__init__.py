"""What every room uses: text, time, random numbers keyed by a counter, the start of the process."""

from svertka.common.messages import Message, message, restored, storable

__all__ = ["Message", "message", "restored", "storable"]

"""The channels through which people are told: `load(channel_id).send(message)`, whatever kind the channel is."""

from imagewatch.aws.channels.registry import EMAIL, Channel, load
from imagewatch.messages import Message

__all__ = ["EMAIL", "Channel", "Message", "load"]

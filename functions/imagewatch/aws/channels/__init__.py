"""The channels through which people are told: `load(channel_id).send(message)`, whatever kind the channel is."""

from imagewatch.alerts.messages import Message
from imagewatch.aws.channels.registry import EMAIL, Channel, load

__all__ = ["EMAIL", "Channel", "Message", "load"]

"""The channels that carry messages: `load(channel_id).send(message)`, whatever kind the channel is."""

from imagewatch.aws.channels.registry import Channel, border, load

__all__ = ["Channel", "border", "load"]

"""The channels that carry messages: `load(channel_id).send(message)`, whatever kind the channel is."""

from imagewatch.aws.channels.registry import Channel, load

__all__ = ["Channel", "load"]

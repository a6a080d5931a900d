"""Errors of capture. `rapport.errors` has those that every package may raise."""

from rapport.errors import RapportError


class InvalidPayload(RapportError):
    """A captured request or message can't be read as what its provider sends."""


class RefusedRequest(RapportError):
    """A request that can't be proven to come from the provider. Its text never contains a secret."""

    def __init__(self, reason: str, difference: str | None = None) -> None:
        super().__init__(reason if difference is None else f"{reason}: {difference}")
        self.reason = reason
        self.difference = difference


class KeyUnavailable(RapportError):
    """The provider's public key could not be fetched now; the provider should send the request again."""


class InvalidHook(RapportError):
    """A hook that can't work: an unknown provider, or a missing or unusable key or setting."""


class MailboxUnavailable(RapportError):
    """A mailbox can't be read now. What was read so far is kept, and the rest is unchanged."""


class SpoolFull(RapportError):
    """The spool holds as many bytes as it may. What was sent isn't kept; the provider should send it again."""


class SpoolUnavailable(RapportError):
    """The spool can't be written. What was sent isn't kept; the provider should send it again."""

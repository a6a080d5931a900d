"""Exceptions of this package; `rapport.errors` has the common ones."""

from rapport.errors import RapportError


class InvalidPayload(RapportError):
    """A captured request or message doesn't have its provider's format."""


class RefusedRequest(RapportError):
    """A request could not be authenticated as the provider's. The message never contains a secret."""

    def __init__(self, reason: str, difference: str | None = None) -> None:
        super().__init__(reason if difference is None else f"{reason}: {difference}")
        self.reason = reason
        self.difference = difference


class KeyUnavailable(RapportError):
    """The provider's public key could not be fetched now; the provider should send the request again."""


class InvalidHook(RapportError):
    """A hook that can't work: an unknown provider, or a missing or unusable key or setting."""


class MissingKey(InvalidHook):
    """A hook without the key that its requests are checked with."""


class MissingSetting(InvalidHook):
    """A hook without a required setting."""


class MailboxUnavailable(RapportError):
    """A mailbox can't be read now. What was read so far is kept, and the rest is unchanged."""


class UnknownHook(RapportError):
    """The account has no hook with this id."""


class SpoolFull(RapportError):
    """The spool is full. The request wasn't stored; the provider should send it again."""


class SpoolUnavailable(RapportError):
    """The spool can't be written. The request wasn't stored; the provider should send it again."""

"""The secrets of a store: signing keys, sessions, tokens."""

from typing import Protocol


class SecretRepository(Protocol):
    """Reads and replaces secrets. Every method raises StoreUnavailable."""

    async def read(self, name: str) -> bytes | None:
        """Return the secret with this name, or None."""

    async def list_names(self) -> list[str]:
        """Return the names of all secrets."""
        ...

    async def replace(self, name: str, old: bytes | None, new: bytes) -> bool:
        """Replace `old` with `new`. Return False, changing nothing, if `old` is no longer the stored value."""
        ...

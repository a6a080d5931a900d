"""The mark that every token and session of an account depends on. Deleting the account revokes it."""


def account_mark(account_id: str) -> str:
    """Return the id that all tokens and sessions of an account depend on, no matter who created them."""
    return f"account:{account_id}"

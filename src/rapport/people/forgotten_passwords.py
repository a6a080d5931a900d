"""Forgotten passwords: a user asks for a one-time link by email.

The response is the same, and as fast, whether the user exists or not: the rest is done afterwards. Links
begin with the URL of the settings, because anybody can send a request with another host in it.
"""

import asyncio
from typing import Final

import structlog

from rapport.errors import MailNotSent, StoreUnavailable, Throttled, UnknownUser
from rapport.instant import HOUR, Instant
from rapport.people.mail import Mailer
from rapport.people.sign_in import SignInService
from rapport.people.users import create_password_link, make_email_key
from rapport.store.store import Store
from rapport.store.users import User

LIFETIME: Final = HOUR
"""How long a requested link is valid."""

_MAX_CONCURRENT: Final = 4
"""How many requests of a worker are handled at the same time: each may wait for the mail server."""
_MAX_WAITING: Final = 200
_RETRY_AFTER: Final = 60

_log = structlog.get_logger("rapport.people")


class ForgottenPasswords:
    """Sends links to users who have forgotten their password."""

    def __init__(self, store: Store, sign_in: SignInService, mailer: Mailer, public_url: str) -> None:
        self._store = store
        self._sign_in = sign_in
        self._mailer = mailer
        self._public_url = public_url
        self._semaphore = asyncio.Semaphore(_MAX_CONCURRENT)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_available(self) -> bool:
        """True if the settings have a mail server, and the URL with which links begin."""
        return self._mailer.is_configured and bool(self._public_url)

    async def request_link(self, address: str, link_path: str, now: Instant) -> None:
        """Send a link to each user who has this email address and a password. Raises Throttled.

        `link_path` is the path of a link, with `{code}` in it.
        """
        await self._sign_in.count_link_request(address, now)
        if len(self._tasks) >= _MAX_WAITING:
            raise Throttled(retry_after=_RETRY_AFTER)
        task = asyncio.create_task(self._send_links(address, link_path, now))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_links(self, address: str, link_path: str, now: Instant) -> None:
        async with self._semaphore:
            try:
                for user in await self._store.users.list_by_email(make_email_key(address.strip())):
                    if user.joined_time is not None and user.password_hash is not None:
                        await self._send_link(user, link_path, now)
            except (StoreUnavailable, UnknownUser) as exc:
                _log.warning("link not sent", reason=str(exc))

    async def _send_link(self, user: User, link_path: str, now: Instant) -> None:
        code = await create_password_link(self._store, user, now, LIFETIME)
        details = await self._store.accounts.get_details(user.account_id)
        link = self._public_url + link_path.replace("{code}", code)
        try:
            await self._mailer.send_link(user, details.organization_name or user.account_id, link, LIFETIME)
        except MailNotSent as exc:
            _log.warning("link not sent", account=user.account_id, user_id=user.user_id, reason=str(exc))
            return
        _log.info("link sent", account=user.account_id, user_id=user.user_id)

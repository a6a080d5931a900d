"""Hooks: where email providers report to, what arrived, and what could not be matched."""

from typing import Any, Final, NamedTuple

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rapport.auth.scope import Privilege
from rapport.auth.session import Session
from rapport.capture.errors import UnknownHook
from rapport.capture.sources import BounceMail
from rapport.capture.webhooks.amazon_ses import TOPIC
from rapport.capture.webhooks.registry import PROVIDERS
from rapport.catalog import MAX_NAME_LENGTH
from rapport.errors import Forbidden
from rapport.instant import HOUR, Instant
from rapport.recording.captured_events import CapturedEvents, RetryResult
from rapport.recording.hook_preview import preview_request
from rapport.recording.hook_registry import (
    CAMPAIGN_ACTIVITY,
    ActiveHook,
    create_hook,
    delete_hook,
    hook_url,
    load_hooks,
    setup_steps,
)
from rapport.recording.missed_hours import DAYS, find_missed_hours
from rapport.store.hooks import HookDelivery
from rapport.store.store import Store
from rapport.web.rendering import page
from rapport.web.routing import page_route
from rapport.web.sessions import SessionManager, now, read_form
from rapport.web.zone import get_zone

HOOKS: Final = "/hooks"
DELETE: Final = "/hooks/{hook_id}/delete"
TEST: Final = "/hooks/{hook_id}/test"
UNMATCHED: Final = "/hooks/unmatched"
RETRY: Final = "/hooks/unmatched/retry"

MANAGE_HOOKS: Final = Privilege.ACCOUNT_UPDATE
"""The privilege to see and change the account's hooks: owners and managers have it."""

_SETTINGS: Final = (CAMPAIGN_ACTIVITY, TOPIC, "mapping")
"""The settings that the form has."""
_DELIVERIES: Final = 10
_MISSED_HOURS: Final = 24
_ITEMS: Final = 100
_RETRIED_ITEMS: Final = 5_000
_DAY_HOURS: Final = 24


class _HookView(NamedTuple):
    """A hook, as the page shows it."""

    hook_id: str
    name: str
    title: str
    created_time: Instant
    url: str
    steps: list[str]
    settings: dict[str, str]
    events: int
    unmatched: int
    deliveries: list[HookDelivery]
    missed: list[Instant]
    is_webhook: bool


class _Test(NamedTuple):
    """The result of a test."""

    hook_id: str
    body: str
    lines: list[str]
    is_recorded: bool


class HooksPage:
    """The pages, and their forms."""

    def __init__(self, store: Store, events: CapturedEvents, sessions: SessionManager, public_url: str) -> None:
        self._store = store
        self._events = events
        self._sessions = sessions
        self._public_url = public_url

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            page_route(HOOKS, self.show),
            page_route(HOOKS, self.create, method="POST"),
            page_route(UNMATCHED, self.show_unmatched),
            page_route(RETRY, self.retry, method="POST"),
            page_route(DELETE, self.delete, method="POST"),
            page_route(TEST, self.test, method="POST"),
        ]

    async def show(self, request: Request) -> Response:
        """Show the account's hooks."""
        return await self._page(request, self._sessions.get_session(request, privilege=MANAGE_HOOKS))

    async def create(self, request: Request) -> Response:
        """Create a hook, and show its URL, which may contain a secret, this once."""
        session, form = await self._read_change(request)
        provider = form.get("provider", "")
        settings = {name: form[name].strip() for name in _SETTINGS if form.get(name, "").strip()}
        keys = tuple(key for key in form.get("key", "").split("\n\n") if key.strip())
        await self._store.accounts.ensure(session.principal.account_id)
        active, secret = await create_hook(
            self._store,
            session.principal.account_id,
            provider,
            name=form.get("name", "").strip() or PROVIDERS[provider].title if provider in PROVIDERS else provider,
            settings=settings,
            keys=tuple(key.strip() for key in keys),
            now=now(),
        )
        return await self._page(request, session, created=active, secret=secret)

    async def delete(self, request: Request) -> Response:
        """Delete a hook."""
        session, _ = await self._read_change(request)
        if not await delete_hook(self._store, session.principal.account_id, request.path_params["hook_id"]):
            raise UnknownHook
        return RedirectResponse(HOOKS, status_code=303)

    async def test(self, request: Request) -> Response:
        """Show what would be recorded of a request."""
        session, form = await self._read_change(request)
        active = next(
            (hook for hook in await self._hooks(session) if hook.hook.hook_id == request.path_params["hook_id"]), None
        )
        if active is None:
            raise UnknownHook
        body = form.get("body", "")
        lines, is_recorded = await preview_request(self._store, active, body.encode("utf-8", "replace"), {}, now())
        return await self._page(request, session, test=_Test(active.hook.hook_id, body, lines, is_recorded))

    async def show_unmatched(self, request: Request) -> Response:
        """Show what could not be matched."""
        session = self._sessions.get_session(request, privilege=MANAGE_HOOKS)
        return await self._unmatched_page(request, session)

    async def retry(self, request: Request) -> Response:
        """Match items again, the oldest first."""
        session, _ = await self._read_change(request)
        hooks = {active.hook.hook_id: active for active in await self._hooks(session)}
        result = await self._events.retry(session.principal.account_id, hooks, _RETRIED_ITEMS)
        return await self._unmatched_page(request, session, result)

    async def _read_change(self, request: Request) -> tuple[Session, dict[str, str]]:
        """Return the session and the form of a change. Sessions that began with a token may change nothing."""
        session = self._sessions.get_session(request, privilege=MANAGE_HOOKS)
        form = await read_form(request)
        self._sessions.check_form(request, session, form.get("form_token", ""))
        if session.token_ids:
            raise Forbidden("sign-in by a link, instead of a token,")
        return session, form

    async def _hooks(self, session: Session) -> list[ActiveHook]:
        account_id = session.principal.account_id
        return [active for active in await load_hooks(self._store) if active.hook.account_id == account_id]

    async def _page(
        self,
        request: Request,
        session: Session,
        *,
        created: ActiveHook | None = None,
        secret: str | None = None,
        test: _Test | None = None,
    ) -> Response:
        base = self._public_url or f"{request.url.scheme}://{request.url.netloc}"
        counts = await self._store.hooks.count_unmatched(session.principal.account_id)
        unmatched: dict[str, int] = {}
        for count in counts:
            unmatched[count.hook_id] = unmatched.get(count.hook_id, 0) + count.items
        url = "" if created is None else hook_url(base, created.hook, secret)
        return self._render(
            request,
            session,
            "hooks.html",
            hooks=[await self._view(active, base, unmatched) for active in await self._hooks(session)],
            created=created,
            created_url=url,
            created_steps=[] if created is None else setup_steps(created, url),
            has_secret=secret is not None,
            test=test,
            providers=[(name, provider.title, provider.key_name) for name, provider in sorted(PROVIDERS.items())],
            longest_name=MAX_NAME_LENGTH,
            days=DAYS,
        )

    async def _view(self, active: ActiveHook, base: str, unmatched: dict[str, int]) -> _HookView:
        hook = active.hook
        hour = now() // HOUR
        hours = await self._store.hooks.hours(hook.hook_id, hour - DAYS * _DAY_HOURS)
        url = hook_url(base, hook) + (".SECRET" if hook.secret_hashes else "")
        missed = find_missed_hours(hours, hook.created_time // HOUR, hour)
        return _HookView(
            hook_id=hook.hook_id,
            name=hook.name,
            title=active.provider.title,
            created_time=hook.created_time,
            url=url,
            steps=setup_steps(active, url),
            settings=hook.settings,
            events=sum(count for counted, count in hours.items() if counted > hour - _DAY_HOURS),
            unmatched=unmatched.get(hook.hook_id, 0),
            deliveries=await self._store.hooks.deliveries(hook.hook_id, _DELIVERIES),
            missed=[Instant(counted * HOUR) for counted in missed[:_MISSED_HOURS]],
            is_webhook=not isinstance(active.provider, BounceMail),
        )

    async def _unmatched_page(self, request: Request, session: Session, result: RetryResult | None = None) -> Response:
        account_id = session.principal.account_id
        return self._render(
            request,
            session,
            "unmatched.html",
            items=await self._store.hooks.unmatched(account_id, 0, _ITEMS),
            total=sum(count.items for count in await self._store.hooks.count_unmatched(account_id)),
            names={active.hook.hook_id: active.hook.name for active in await self._hooks(session)},
            result=result,
        )

    def _render(self, request: Request, session: Session, template: str, **values: Any) -> Response:  # noqa: ANN401 - of a template
        return page(
            template,
            session=session,
            form_token=self._sessions.make_form_token(session),
            may_change=not session.token_ids,
            nav_id="connect",
            zone=get_zone(request),
            **values,
        )

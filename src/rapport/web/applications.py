"""The page of the account's OAuth applications, with the forms that create, change and delete them."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from rapport.auth.scope import Role, Scope
from rapport.auth.session import Session
from rapport.auth.token_registry import MAX_NAME_LENGTH
from rapport.auth.token_service import delegable_roles
from rapport.errors import InvalidField
from rapport.oauth.applications import MANAGE_APPLICATIONS, ApplicationRequest, ApplicationService, RefreshPolicy
from rapport.store.applications import Application
from rapport.web.labels import ROLE_LABELS, SCOPE_LABELS
from rapport.web.rendering import page
from rapport.web.routing import page_route
from rapport.web.sessions import SessionManager, now, read_fields, read_form
from rapport.web.zone import get_zone

APPLICATIONS: Final = "/applications"
ROTATE: Final = "/applications/{client_id}/secret"
DELETE: Final = "/applications/{client_id}/delete"

_TYPES: Final = {"confidential": False, "public": True}
_CHECKED: Final = frozenset({Scope.CONTACT_DATA, Scope.CAMPAIGN_DATA, Scope.ACCOUNT_READ, Scope.OFFLINE_ACCESS})
"""The scopes that are selected at first: most clients need them."""


class ApplicationsPage:
    """The page, and its forms."""

    def __init__(self, applications: ApplicationService, sessions: SessionManager) -> None:
        self._applications = applications
        self._sessions = sessions

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            page_route(APPLICATIONS, self.show),
            page_route(APPLICATIONS, self.create, method="POST"),
            page_route(ROTATE, self.rotate_secret, method="POST"),
            page_route(DELETE, self.delete, method="POST"),
        ]

    async def show(self, request: Request) -> Response:
        """Show the account's applications."""
        return await self._page(request, self._sessions.get_session(request, privilege=MANAGE_APPLICATIONS))

    async def create(self, request: Request) -> Response:
        """Create an application, and show its secret, which is never shown again."""
        session = self._sessions.get_session(request, privilege=MANAGE_APPLICATIONS)
        fields = await read_fields(request)
        self._sessions.check_form(request, session, dict(fields).get("form_token", ""))
        application, secret = await self._applications.create(session, _parse_form(fields), now())
        return await self._page(request, session, application, secret)

    async def rotate_secret(self, request: Request) -> Response:
        """Replace an application's secret, and show the new one, which is never shown again."""
        session = await self._check_form(request)
        application, secret = await self._applications.rotate_secret(session, request.path_params["client_id"])
        return await self._page(request, session, application, secret)

    async def delete(self, request: Request) -> Response:
        """Delete an application."""
        session = await self._check_form(request)
        await self._applications.delete(session, request.path_params["client_id"], now())
        return RedirectResponse(APPLICATIONS, status_code=303)

    async def _check_form(self, request: Request) -> Session:
        session = self._sessions.get_session(request, privilege=MANAGE_APPLICATIONS)
        self._sessions.check_form(request, session, (await read_form(request)).get("form_token", ""))
        return session

    async def _page(
        self,
        request: Request,
        session: Session,
        changed: Application | None = None,
        secret: str | None = None,
    ) -> Response:
        values: dict[str, Any] = {
            "applications": await self._applications.list_applications(session),
            "changed": changed,
            "secret": secret,
            "may_change": not session.began_with_token,
            "scopes": [(scope.value, scope in _CHECKED) for scope in Scope if scope in session.principal.scopes],
            "roles": [role.value for role in delegable_roles(session)],
            "policies": [policy.value for policy in RefreshPolicy],
            "types": list(_TYPES),
            "max_name_length": MAX_NAME_LENGTH,
            "scope_labels": SCOPE_LABELS,
            "role_labels": ROLE_LABELS,
        }
        return page(
            "applications.html",
            session=session,
            form_token=self._sessions.make_form_token(session),
            nav_id="connect",
            zone=get_zone(request),
            **values,
        )


def _parse_form(fields: list[tuple[str, str]]) -> ApplicationRequest:
    form = dict(fields)
    scopes, roles = {scope.value: scope for scope in Scope}, {role.value: role for role in Role}
    policies = {policy.value: policy for policy in RefreshPolicy}
    selected = [value for name, value in fields if name == "scope"]
    for scope in selected:
        if scope not in scopes:
            raise InvalidField("scope", scope, "must be one of " + ", ".join(scopes))
    credentials = form.get("credentials", "")
    for name, allowed in (("type", _TYPES), ("refresh", policies), ("credentials", {"", *roles})):
        if form.get(name, "") not in allowed:
            raise InvalidField(name, form.get(name, ""), "must be one of " + ", ".join(filter(None, allowed)))
    return ApplicationRequest(
        name=form.get("name", ""),
        redirect_uris=tuple(line for line in form.get("redirect_uris", "").split() if line),
        scopes=frozenset(scopes[scope] for scope in selected),
        is_public=_TYPES[form["type"]],
        refresh_policy=policies[form["refresh"]],
        credentials_role=roles[credentials] if credentials else None,
    )

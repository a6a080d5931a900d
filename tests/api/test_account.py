"""The account summary and the user's privileges, which integrations request first."""

import re

import constant_contact_api_client as sdk
import pytest

from rapport.auth.scope import Role, Scope
from tests.helpers.server import Server

READ = frozenset({Scope.ACCOUNT_READ})


def test_account_summary_describes_tokens_account(server: Server, account: str) -> None:
    with server.client(account, READ) as client:
        summary = client.get("/v3/account/summary?extra_fields=physical_address,company_logo").json()
        assert summary == {"encoded_account_id": account, "organization_name": account, "time_zone_id": "UTC"}
        assert re.fullmatch("[A-Za-z0-9_-]{6,128}", summary["encoded_account_id"])
        refused = client.get("/v3/account/summary?extra_fields=shoe_size")
        assert refused.status_code == 400
        assert "physical_address, company_logo" in refused.json()[0]["error_message"]


@pytest.mark.parametrize(("scopes", "role"), [(frozenset[Scope](), Role.OWNER), (READ, Role.CAMPAIGN_CREATOR)])
def test_account_summary_requires_scope_and_privilege(
    server: Server, account: str, scopes: frozenset[Scope], role: Role
) -> None:
    with server.client(account, scopes, role) as client:
        assert client.get("/v3/account/summary").status_code == 403


@pytest.mark.parametrize("role", Role)
def test_privileges_are_listed_for_every_token(server: Server, account: str, role: Role) -> None:
    with server.client(account, frozenset(), role) as client:
        response = client.get("/v3/account/user/privileges")
    assert response.status_code == 200
    privileges = {privilege["privilege_name"]: privilege["privilege_id"] for privilege in response.json()}
    expected = {"account:read": 2, "campaign:read": 31, "ui:campaign:metrics": 39}
    assert (expected.items() <= privileges.items()) == (role is not Role.CAMPAIGN_CREATOR)
    assert privileges["campaign:list"] == 29


def test_sdk_parses_account_responses(server: Server, account: str) -> None:
    configuration = sdk.Configuration(host=f"{server.url}/v3", access_token=server.token(account, READ))
    with sdk.ApiClient(configuration) as client:
        api = sdk.AccountServicesApi(client)
        assert api.get_account_details().encoded_account_id == account
        assert {user_privilege.privilege_id for user_privilege in api.get_user_privileges()} >= {2, 31, 39}

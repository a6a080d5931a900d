"""Constant Contact's SDK for Python, over every operation that exists here."""

from typing import Any

import constant_contact_api_client as sdk
from pydantic_core import to_jsonable_python

from tests.helpers.sdk_operations import READS, WRITES, Operation, fill_account, is_contained
from tests.helpers.server import Server


def test_every_operation_is_parsed(sqlite_server: Server, account: str) -> None:
    token = fill_account(sqlite_server, account)
    configuration = sdk.Configuration(host=f"{sqlite_server.url}/v3", access_token=token)
    with sdk.ApiClient(configuration) as sdk_client:
        for operation in (*READS, *WRITES):
            status, result = call(sdk_client, operation)
            assert status == operation.status, (operation, result)
            assert is_contained(operation.expected, result) or status >= 400, (operation, result)


def call(client: sdk.ApiClient, operation: Operation) -> tuple[int, Any]:
    """Call an operation, and return the status and the parsed result as JSON."""
    method = getattr(getattr(sdk, operation.api)(client), f"{operation.method}_with_http_info")
    try:
        response = method(*operation.args)
    except sdk.ApiException as exc:
        return int(exc.status or 0), exc.body
    return response.status_code, to_jsonable_python(response.data, by_alias=True)

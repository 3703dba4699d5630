"""What the administrators of a workspace may not borrow: identities of the machine that runs the gateway, and its way into the network."""

from fastgw.control.api.problem import Fault
from fastgw.control.api.written import refused
from fastgw.providers.google import read_account
from fastgw.providers.settings import upstream_for
from fastgw.providers.table import PROVIDERS
from fastgw.snapshot.config import Integration
from fastgw.snapshot.hosts import HostRefused, HostRules, check_url


def refuse_foreign(made: Integration, hosts: HostRules | None) -> None:
    """Hold an integration of a workspace to what a caller may bring along; it has passed the checks of all integrations.

    hosts   what the operator allows beside the public Internet; None where no host may be named at all
    raises  ApiError
    """
    provider = PROVIDERS[made.provider]
    faults = list(borrowed(made))
    if made.base_url is not None and hosts is None:
        faults.append(Fault("$.base_url", "nothing, as [gateway.inline_hosts] lets workspaces name no hosts", "an address"))
    if made.metadata_url is not None:
        faults.append(Fault("$.metadata_url", "nothing, as the identity of the machine is not a workspace's to use", "an address"))
    addresses = {"$.base_url" if made.base_url is not None else "$.provider": origin_of(made)}
    if made.token_url is not None:
        addresses["$.token_url"] = made.token_url
    if provider.auth == "google" and made.google is not None and made.google.service_account is not None:
        addresses["$.google.service_account"] = read_account(made.google.service_account.reveal()).token_url
    for path, url in addresses.items():
        try:
            check_url(url, hosts or HostRules())
        except HostRefused as error:
            faults.append(Fault(path, "an address that a workspace may name", "another", f"{error}; one of the organisation may name any"))
    if faults:
        raise refused(faults)


def borrowed(made: Integration) -> list[Fault]:
    """Where a signature would be made with an identity that the gateway has of its own."""
    if made.api_key is not None:
        return []
    auth, aws, google, azure = PROVIDERS[made.provider].auth, made.aws, made.google, made.azure
    expected = "credentials of its own, as the gateway's are not a workspace's to use"
    if auth == "aws" and (aws is None or aws.access_key_id is None):
        return [Fault("$.aws.access_key_id", expected, "nothing")]
    if auth == "google" and (google is None or google.service_account is None):
        return [Fault("$.google.service_account", expected, "nothing")]
    if auth == "entra" and azure is not None and azure.identity in ("managed", "workload"):
        return [Fault("$.azure.identity", expected, f'"{azure.identity}"')]
    return []


def origin_of(made: Integration) -> str:
    """The address that requests go to, as a URL without a path."""
    upstream = upstream_for(PROVIDERS[made.provider], made)
    host = f"[{upstream.host}]" if ":" in upstream.host else upstream.host
    return f"{upstream.scheme}://{host}:{upstream.port}"

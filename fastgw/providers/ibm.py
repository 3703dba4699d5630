"""Tokens of IBM Cloud: an API key exchanged at IAM.

Source: cloud.ibm.com/apidocs/iam-identity-token-api, "Create an IAM access token for a user or service ID using an API key"
"""

from typing import Final

from fastgw.providers.fetch import Ways, ask_json, seconds_at, text_at
from fastgw.providers.signer import Token

TOKEN_URL: Final = "https://iam.cloud.ibm.com/identity/token"
GRANT: Final = "urn:ibm:params:oauth:grant-type:apikey"


def key_token(api_key: str, token_url: str | None = None, ways: Ways | None = None) -> Token:
    """Exchange a key for a token. raises SigningError"""
    url = token_url or TOKEN_URL
    found = ask_json(url, form={"grant_type": GRANT, "apikey": api_key}, fields={"accept": "application/json"}, ways=ways)
    return Token(text_at(found, "access_token", url), seconds_at(found, "expiration", url))

"""What any Google must do, asked of our sandbox and of emulate with Google's and others' own libraries."""

import base64
from urllib.parse import urlsplit

import jwt
import pytest
import requests
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from googleapiclient.errors import HttpError
from oauthlib.oauth2 import WebApplicationClient

from tests.sandbox.providers import (
    CAMILLE,
    CLIENT_ID,
    GMAIL_MODIFY,
    REDIRECT_URI,
    Provider,
    SignIn,
    credentials,
    gmail,
    raw_mail,
    tokens_for,
)  # fmt: skip


def test_discovery_names_every_endpoint_below_the_issuer(provider: Provider):
    document = requests.get(f"{provider.url}/.well-known/openid-configuration", timeout=10).json()
    assert document["issuer"] == provider.url
    for name in ("authorization", "token", "userinfo", "revocation"):
        assert document[f"{name}_endpoint"].startswith(provider.url)
    assert document["jwks_uri"].startswith(provider.url)
    assert "S256" in document["code_challenge_methods_supported"]


def test_the_code_flow_gives_an_id_token_that_verifies(provider: Provider):
    sign_in = SignIn(provider)
    back = sign_in.come_back()
    assert back["state"] == sign_in.state
    tokens = sign_in.exchange(back["code"]).json()
    key = jwt.PyJWKClient(sign_in.endpoints["jwks_uri"]).get_signing_key_from_jwt(tokens["id_token"])
    claims = jwt.decode(tokens["id_token"], key, algorithms=["RS256"], audience=CLIENT_ID, issuer=provider.url)
    assert (claims["nonce"], claims["email"], claims["email_verified"]) == (sign_in.nonce, CAMILLE, True)


def test_oauthlib_can_walk_the_flow(provider: Provider):
    sign_in = SignIn(provider, pkce=False)
    location = provider.answer_consent(sign_in.url).replace("http://localhost", "https://localhost", 1)
    client = WebApplicationClient(CLIENT_ID)
    code = client.parse_request_uri_response(location, state=sign_in.state)["code"]
    body = client.prepare_request_body(code=code, redirect_uri=REDIRECT_URI, client_secret="sandbox-secret")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = requests.post(sign_in.endpoints["token_endpoint"], body, headers=headers, timeout=10)
    assert answer.json()["token_type"] == "Bearer"


def test_a_code_works_once(provider: Provider):
    sign_in = SignIn(provider)
    code = sign_in.come_back()["code"]
    assert sign_in.exchange(code).status_code == 200
    again = sign_in.exchange(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


def test_a_wrong_verifier_is_refused(provider: Provider):
    sign_in = SignIn(provider)
    answer = sign_in.exchange(sign_in.come_back()["code"], verifier="x" * 50)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_a_wrong_client_secret_is_refused(provider: Provider):
    sign_in = SignIn(provider)
    answer = sign_in.exchange(sign_in.come_back()["code"], secret="wrong")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_userinfo_says_who_signed_in(provider: Provider):
    sign_in = SignIn(provider)
    tokens = sign_in.finish()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    document = requests.get(sign_in.endpoints["userinfo_endpoint"], headers=headers, timeout=10).json()
    assert (document["email"], document["name"]) == (CAMILLE, "Camille Morel")


def test_google_auth_refreshes_an_access_token(provider: Provider):
    tokens = tokens_for(provider, GMAIL_MODIFY)
    creds = credentials(provider, tokens)
    creds.refresh(Request())
    assert creds.token and creds.token != tokens["access_token"]
    assert gmail(provider.url, creds).users().labels().list(userId="me").execute()["labels"]


def test_a_revoked_refresh_token_is_dead(provider: Provider):
    tokens = tokens_for(provider)
    endpoints = requests.get(f"{provider.url}/.well-known/openid-configuration", timeout=10).json()
    assert requests.post(endpoints["revocation_endpoint"], {"token": tokens["refresh_token"]}, timeout=10).status_code == 200
    with pytest.raises(RefreshError, match="invalid_grant"):
        credentials(provider, tokens).refresh(Request())


def test_an_api_call_without_a_token_is_refused_in_googles_form(provider: Provider):
    answer = requests.get(f"{provider.url}/gmail/v1/users/me/messages", timeout=10)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (401, 401, "UNAUTHENTICATED")


def test_gmail_lists_the_newest_first_and_pages_without_gap_or_double(provider: Provider):
    service = gmail(provider.url, credentials(provider, tokens_for(provider, GMAIL_MODIFY)))
    messages = service.users().messages()
    sent = [messages.insert(userId="me", body={"raw": raw_mail(f"Page {n}", "x"), "labelIds": ["INBOX"]}).execute()["id"] for n in range(5)]
    query = "subject:Page"
    seen, request = [], messages.list(userId="me", q=query, maxResults=2)
    while request is not None:
        answer = request.execute()
        assert len(answer["messages"]) <= 2
        seen += [message["id"] for message in answer["messages"]]
        request = messages.list_next(request, answer)
    assert sorted(seen[:5]) == sorted(sent)
    assert len(seen) == len(set(seen))


def test_gmail_gives_headers_and_body_of_a_message(provider: Provider):
    service = gmail(provider.url, credentials(provider, tokens_for(provider, GMAIL_MODIFY)))
    raw = raw_mail("Séance d'été", "Bonjour, à bientôt sur l'île.")
    id = service.users().messages().insert(userId="me", body={"raw": raw, "labelIds": ["INBOX", "UNREAD"]}).execute()["id"]  # noqa: A001
    message = service.users().messages().get(userId="me", id=id, format="full").execute()
    headers = {header["name"].lower(): header["value"] for header in message["payload"]["headers"]}
    data = message["payload"]["body"]["data"]
    text = base64.urlsafe_b64decode(data + "=" * (-len(data) % 4)).decode()
    assert headers["from"] == "Nina <nina@example.net>"
    assert "île" in text
    assert {"INBOX", "UNREAD"} <= set(message["labelIds"])
    assert message["threadId"] and message["internalDate"].isdigit() and isinstance(message["historyId"], str)


def test_gmail_metadata_carries_no_body(provider: Provider):
    service = gmail(provider.url, credentials(provider, tokens_for(provider, GMAIL_MODIFY)))
    id = service.users().messages().insert(userId="me", body={"raw": raw_mail("Metadata", "SECRET")}).execute()["id"]  # noqa: A001
    message = service.users().messages().get(userId="me", id=id, format="metadata", metadataHeaders=["Subject"]).execute()
    assert [header["name"] for header in message["payload"]["headers"]] == ["Subject"]
    assert not message["payload"].get("body", {}).get("data")


def test_gmail_history_tells_what_arrived_since(provider: Provider):
    service = gmail(provider.url, credentials(provider, tokens_for(provider, GMAIL_MODIFY)))
    messages = service.users().messages()
    first = messages.insert(userId="me", body={"raw": raw_mail("First", "x")}).execute()["id"]
    start = messages.get(userId="me", id=first, format="minimal").execute()["historyId"]
    second = messages.insert(userId="me", body={"raw": raw_mail("Second", "x")}).execute()["id"]
    answer = service.users().history().list(userId="me", startHistoryId=start, historyTypes=["messageAdded"]).execute()
    added = [entry["message"]["id"] for record in answer["history"] for entry in record.get("messagesAdded", [])]
    assert second in added and first not in added
    assert int(answer["historyId"]) > int(start)


def test_gmail_keeps_attachments_behind_an_id(provider: Provider):
    service = gmail(provider.url, credentials(provider, tokens_for(provider, GMAIL_MODIFY)))
    raw = raw_mail("Attachment", "See the file.", attachment=b"%PDF-1.4 sample")
    id = service.users().messages().insert(userId="me", body={"raw": raw}).execute()["id"]  # noqa: A001
    parts = service.users().messages().get(userId="me", id=id, format="full").execute()["payload"]["parts"]
    file = next(part for part in parts if part["filename"] == "devis.pdf")
    assert "data" not in file["body"]
    found = service.users().messages().attachments().get(userId="me", messageId=id, id=file["body"]["attachmentId"]).execute()
    assert base64.urlsafe_b64decode(found["data"] + "=" * (-len(found["data"]) % 4)) == b"%PDF-1.4 sample"


def test_gmail_answers_404_for_an_unknown_message(provider: Provider):
    service = gmail(provider.url, credentials(provider, tokens_for(provider, GMAIL_MODIFY)))
    with pytest.raises(HttpError) as caught:
        service.users().messages().get(userId="me", id="1a00000000000000").execute()
    assert caught.value.status_code == 404
    assert caught.value.error_details[0]["reason"] == "notFound"


def test_googles_client_asks_only_the_address_it_was_given(provider: Provider):
    service = gmail(provider.url, credentials(provider, tokens_for(provider, GMAIL_MODIFY)))
    request = service.users().messages().list(userId="me", q="devis")
    assert urlsplit(request.uri).netloc == urlsplit(provider.url).netloc
    assert service.new_batch_http_request()._batch_uri == f"{provider.url}/batch/gmail/v1"

"""Gmail as the real one answers, where emulate falls short."""

import base64
from collections.abc import Callable
from email import message_from_bytes
from typing import Any

import pytest
import requests

from sandbox.server import SandboxServer
from tests.sandbox.providers import CAMILLE, SandboxProvider, credentials, gmail

Get = Callable[..., requests.Response]


def deliver(sandbox: SandboxServer, raw: bytes, **fields: Any) -> str:
    return sandbox.control("POST", "messages", {"raw": base64.b64encode(raw).decode(), **fields})["id"]


def text_of(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64decode(part["body"]["data"]).decode()


def test_the_profile_counts_and_names_a_history_id_as_text(sandbox: SandboxServer, gmail_get: Get):
    sandbox.control("POST", "messages", {"subject": "One"})
    profile = gmail_get("profile").json()
    assert profile["emailAddress"] == CAMILLE and profile["messagesTotal"] == 1
    assert profile["historyId"].isdigit()


def test_an_empty_list_has_no_messages_key(gmail_get: Get):
    assert gmail_get("messages").json() == {"resultSizeEstimate": 0}


def test_mail_that_arrives_while_paging_moves_no_page(sandbox: SandboxServer, gmail_get: Get):
    sandbox.control("POST", "mailbox", {"count": 12})
    first = gmail_get("messages", maxResults=5).json()
    sandbox.control("POST", "messages", {"subject": "Just arrived"})
    second = gmail_get("messages", maxResults=5, pageToken=first["nextPageToken"]).json()
    third = gmail_get("messages", maxResults=5, pageToken=second["nextPageToken"]).json()
    ids = [message["id"] for page in (first, second, third) for message in page["messages"]]
    assert len(ids) == len(set(ids)) == 12
    assert "nextPageToken" not in third


def test_at_most_500_come_at_once_newest_first(sandbox: SandboxServer, gmail_get: Get):
    sandbox.control("POST", "mailbox", {"count": 600})
    ids = [message["id"] for message in gmail_get("messages", maxResults=1000).json()["messages"]]
    assert len(ids) == 500
    dates = [int(gmail_get(f"messages/{id}", format="minimal").json()["internalDate"]) for id in ids[:3]]  # noqa: A001
    assert dates == sorted(dates, reverse=True)


def test_spam_and_trash_are_hidden_unless_asked_for(sandbox: SandboxServer, gmail_get: Get):
    for labels in (["INBOX"], ["SPAM"], ["TRASH"]):
        sandbox.control("POST", "messages", {"subject": "x", "labels": labels})
    assert gmail_get("messages").json()["resultSizeEstimate"] == 1
    assert gmail_get("messages", includeSpamTrash="true").json()["resultSizeEstimate"] == 3
    assert gmail_get("messages", q="in:spam").json()["resultSizeEstimate"] == 1
    assert gmail_get("messages", labelIds=["TRASH"]).json()["resultSizeEstimate"] == 1
    assert gmail_get("messages", labelIds=["Nonsense"]).status_code == 400


def test_full_gives_the_tree_with_files_by_id_only(sandbox: SandboxServer, gmail_get: Get):
    fields = {
        "subject": "Devis",
        "text": "Bonjour",
        "html": "<p>Bonjour</p>",
        "attachments": {"devis.pdf": base64.b64encode(b"%PDF").decode()},
    }
    id = sandbox.control("POST", "messages", fields)["id"]  # noqa: A001
    payload = gmail_get(f"messages/{id}").json()["payload"]
    alternative, file = payload["parts"]
    assert (payload["mimeType"], payload["partId"], payload["body"]) == ("multipart/mixed", "", {"size": 0})
    assert [part["partId"] for part in alternative["parts"]] == ["0.0", "0.1"]
    assert text_of(alternative["parts"][0]).strip() == "Bonjour"
    assert file["filename"] == "devis.pdf" and set(file["body"]) == {"attachmentId", "size"}
    found = gmail_get(f"messages/{id}/attachments/{file['body']['attachmentId']}").json()
    assert base64.urlsafe_b64decode(found["data"]) == b"%PDF"


def test_text_comes_in_utf8_whatever_the_mail_says(sandbox: SandboxServer, gmail_get: Get):
    raw = 'Subject: x\r\nContent-Type: text/plain; charset="iso-8859-1"\r\nContent-Transfer-Encoding: 8bit\r\n\r\nété\r\n'
    payload = gmail_get(f"messages/{deliver(sandbox, raw.encode('latin-1'))}").json()["payload"]
    assert text_of(payload).strip() == "été"
    assert payload["headers"][1]["value"] == 'text/plain; charset="iso-8859-1"'


def test_an_unknown_charset_leaves_the_bytes_alone(sandbox: SandboxServer, gmail_get: Get):
    raw = b'Subject: x\r\nContent-Type: text/plain; charset="x-unknown"\r\n\r\n\xe9t\xe9'
    payload = gmail_get(f"messages/{deliver(sandbox, raw)}").json()["payload"]
    assert base64.urlsafe_b64decode(payload["body"]["data"]) == b"\xe9t\xe9"


@pytest.mark.parametrize(
    ("header", "readable"),
    [
        ("=?utf-8?Q?R=C3=A9ponse_=C3=A0_votre?= =?utf-8?Q?_devis?=", "Réponse à votre devis"),
        ("=?utf-8?B?w6l0w6k=?= now", "été now"),
        ("=?utf-8?Q?caf=C3?= =?utf-8?Q?=A9?=", "café"),
        ("=?iso-8859-1?Q?caf=E9?=\r\n =?koi8-r?B?5MHS?=", "caféДар"),
        ("=?x-unknown?Q?plain?=", "plain"),
        ("folded\r\n\tand tabbed", "folded\tand tabbed"),
    ],
)
def test_headers_come_decoded_and_unfolded(sandbox: SandboxServer, gmail_get: Get, header: str, readable: str):
    id = deliver(sandbox, f"Subject: {header}\r\n\r\nx".encode())  # noqa: A001
    answer = gmail_get(f"messages/{id}", format="metadata", metadataHeaders=["subject"]).json()
    assert answer["payload"]["headers"] == [{"name": "Subject", "value": readable}]


def test_big_text_is_behind_an_id_too(sandbox: SandboxServer, gmail_get: Get):
    id = sandbox.control("POST", "messages", {"text": "word " * 80_000})["id"]  # noqa: A001
    body = gmail_get(f"messages/{id}").json()["payload"]["body"]
    assert "data" not in body and body["size"] > 300_000
    assert gmail_get(f"messages/{id}/attachments/{body['attachmentId']}").json()["size"] == body["size"]


def test_a_forwarded_mail_is_a_file_and_a_tree(sandbox: SandboxServer, gmail_get: Get):
    raw = (
        b"Subject: Fwd\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nsee below\r\n"
        b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: Inner\r\n\r\ninner text\r\n--b--\r\n"
    )
    parts = gmail_get(f"messages/{deliver(sandbox, raw)}").json()["payload"]["parts"]
    assert parts[1]["mimeType"] == "message/rfc822" and parts[1]["filename"] == "noname.eml"
    assert "attachmentId" in parts[1]["body"]
    assert parts[1]["parts"][0]["headers"] == [{"name": "Subject", "value": "Inner"}]


def test_raw_is_the_mail_as_it_came(sandbox: SandboxServer, gmail_get: Get):
    raw = b"Subject: As it came\r\nX-Odd:  spaces \r\n\r\n\xff\x00bytes"
    answer = gmail_get(f"messages/{deliver(sandbox, raw)}", format="raw").json()
    assert base64.urlsafe_b64decode(answer["raw"]) == raw
    assert "payload" not in answer and answer["sizeEstimate"] == len(raw)


def test_fields_choose_what_comes(sandbox: SandboxServer, gmail_get: Get):
    id = sandbox.control("POST", "messages", {"text": "Hello", "html": "<b>Hello</b>"})["id"]  # noqa: A001
    answer = gmail_get(f"messages/{id}", fields="id,payload(mimeType,parts/body/size)").json()
    assert set(answer) == {"id", "payload"} and set(answer["payload"]) == {"mimeType", "parts"}
    assert set(answer["payload"]["parts"][0]) == {"body"} and set(answer["payload"]["parts"][0]["body"]) == {"size"}
    assert gmail_get("messages", fields="messages/id,nextPageToken").json() == {"messages": [{"id": id}]}
    wrong = gmail_get(f"messages/{id}", fields="nonsense")
    assert (wrong.status_code, wrong.json()["error"]["errors"][0]["reason"]) == (400, "invalidParameter")


def test_answers_join_their_thread(sandbox: SandboxServer):
    first = sandbox.control("POST", "messages", {"subject": "Devis", "headers": {"Message-ID": "<1@example.net>"}})
    second = sandbox.control("POST", "messages", {"subject": "Re: Devis", "headers": {"In-Reply-To": "<1@example.net>"}})
    assert second["threadId"] == first["threadId"] == first["id"]


def test_history_tells_each_kind_of_change(sandbox: SandboxServer, gmail_get: Get):
    id = sandbox.control("POST", "messages", {"subject": "x"})["id"]  # noqa: A001
    start = gmail_get("profile").json()["historyId"]
    sandbox.control("PATCH", f"messages/{CAMILLE}/{id}", {"add": ["STARRED"], "remove": ["UNREAD"]})
    sandbox.control("DELETE", f"messages/{CAMILLE}/{id}")
    records = gmail_get("history", startHistoryId=start).json()["history"]
    assert [next(key for key in record if key not in ("id", "messages")) for record in records] == [
        "labelsAdded", "labelsRemoved", "messagesDeleted",
    ]  # fmt: skip
    only = gmail_get("history", startHistoryId=start, historyTypes="labelRemoved").json()["history"]
    assert only[0]["labelsRemoved"][0]["labelIds"] == ["UNREAD"]


def test_history_pages(sandbox: SandboxServer, gmail_get: Get):
    start = gmail_get("profile").json()["historyId"]
    sandbox.control("POST", "mailbox", {"count": 7})
    first = gmail_get("history", startHistoryId=start, maxResults=4).json()
    second = gmail_get("history", startHistoryId=start, maxResults=4, pageToken=first["nextPageToken"]).json()
    assert (len(first["history"]), len(second["history"])) == (4, 3)
    assert "nextPageToken" not in second


def test_a_history_id_too_old_or_unknown_is_404(sandbox: SandboxServer, gmail_get: Get):
    start = gmail_get("profile").json()["historyId"]
    assert gmail_get("history", startHistoryId=start).json() == {"historyId": start}
    sandbox.control("POST", "history/forget", {})
    for history_id in (start, "1", "99999999999"):
        answer = gmail_get("history", startHistoryId=history_id)
        assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (404, "notFound")


def test_another_mailbox_and_a_bad_id_are_refused(gmail_get: Get, sandbox: SandboxServer):
    token = sandbox.control("POST", "grant", {})["access_token"]
    other = requests.get(f"{sandbox.url}/gmail/v1/users/sam@example.test/profile", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert other.status_code == 403 and other.json()["error"]["message"] == f"Delegation denied for {CAMILLE}"
    assert gmail_get("messages/not-an-id").json()["error"]["status"] == "INVALID_ARGUMENT"
    assert gmail_get("nonsense").status_code == 404


def test_the_metadata_scope_sees_neither_bodies_nor_search(sandbox: SandboxServer):
    id = sandbox.control("POST", "messages", {"text": "x"})["id"]  # noqa: A001
    token = sandbox.control("POST", "grant", {"scopes": ["https://www.googleapis.com/auth/gmail.metadata"]})["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    base = f"{sandbox.url}/gmail/v1/users/me/messages"
    assert requests.get(f"{base}/{id}?format=metadata", headers=headers, timeout=10).status_code == 200
    assert requests.get(f"{base}/{id}", headers=headers, timeout=10).status_code == 403
    assert requests.get(f"{base}?q=x", headers=headers, timeout=10).status_code == 403


def test_a_batch_answers_each_part_on_its_own(sandbox: SandboxServer):
    ids = sandbox.control("POST", "mailbox", {"count": 3})["ids"]
    tokens = sandbox.control("POST", "grant", {})
    service = gmail(sandbox.url, credentials(SandboxProvider(sandbox), tokens))
    answers: dict[str, Any] = {}
    batch = service.new_batch_http_request(callback=lambda id, answer, error: answers.update({id: error or answer}))  # noqa: A006
    for id in [*ids, "1a00000000000000"]:  # noqa: A001
        batch.add(service.users().messages().get(userId="me", id=id, format="minimal"), request_id=id)
    batch.execute()
    assert [answers[id]["id"] for id in ids] == ids  # noqa: A001
    assert answers["1a00000000000000"].status_code == 404
    log = sandbox.control("GET", "requests")
    assert log["counts"]["gmail.users.messages.get"] == 4 and log["counts"]["batch"] == 1


def test_a_batch_takes_a_hundred_calls_and_no_more(sandbox: SandboxServer):
    token = sandbox.control("POST", "grant", {})["access_token"]

    def batch(count: int) -> requests.Response:
        part = "--b\r\nContent-Type: application/http\r\n\r\nGET /gmail/v1/users/me/profile\r\n\r\n"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "multipart/mixed; boundary=b"}
        return requests.post(f"{sandbox.url}/batch/gmail/v1", part * count + "--b--", headers=headers, timeout=10)

    answer = batch(100)
    mail = message_from_bytes(f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode() + answer.content)
    assert len(mail.get_payload()) == 100
    assert "200 OK" in str(mail.get_payload()[0])
    assert batch(101).status_code == 400


def test_the_budget_refuses_with_googles_words(sandbox: SandboxServer, gmail_get: Get):
    id = sandbox.control("POST", "messages", {})["id"]  # noqa: A001
    sandbox.control("POST", "quota", {"units_per_second": 1, "burst": 10})
    assert [gmail_get(f"messages/{id}").status_code for _ in range(3)] == [200, 200, 429]
    error = gmail_get(f"messages/{id}").json()["error"]
    assert (error["status"], error["errors"][0]["reason"], error["errors"][0]["domain"]) == (
        "RESOURCE_EXHAUSTED", "rateLimitExceeded", "usageLimits",
    )  # fmt: skip
    assert sandbox.control("GET", "quota")["refused"] == 2

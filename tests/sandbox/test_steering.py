"""Faults, delays, the log, the SMTP inbox, the pages, and the process itself."""

import os
import signal
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest
import requests

from sandbox.server import SandboxServer
from tests.sandbox.providers import CAMILLE, CLIENT_ID, CLIENT_SECRET

Get = Callable[..., requests.Response]
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_fault_hits_as_often_as_asked_and_no_other_path(sandbox: SandboxServer, gmail_get: Get, status: int):
    sandbox.control("POST", "faults", {"status": status, "path": "/gmail/v1/users/me/messages", "count": 2, "after": 1})
    assert [gmail_get("messages").status_code for _ in range(4)] == [200, status, status, 200]
    sandbox.control("POST", "faults", {"status": status, "path": "/gmail/v1/users/me/messages"})
    assert gmail_get("profile").status_code == 200
    assert gmail_get("messages").json()["error"]["code"] == status
    sandbox.control("DELETE", "faults")
    assert gmail_get("messages").status_code == 200


def test_a_fault_on_the_token_endpoint_speaks_oauth(sandbox: SandboxServer):
    sandbox.control("POST", "faults", {"status": 400, "path": "/token", "reason": "invalid_grant", "retry_after": 3})
    answer = requests.post(f"{sandbox.url}/token", {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}, timeout=10)
    assert (answer.status_code, answer.json()["error"], answer.headers["Retry-After"]) == (400, "invalid_grant", "3")


def test_a_delay_slows_its_prefix_only(sandbox: SandboxServer, gmail_get: Get):
    sandbox.control("POST", "latency", {"ms": 80, "path": "/gmail/"})
    started = time.perf_counter()
    gmail_get("profile")
    assert time.perf_counter() - started >= 0.08
    assert sandbox.control("POST", "latency", {"ms": 0, "path": "/gmail/"})["latencies"] == []


def test_the_log_tells_method_account_and_query(sandbox: SandboxServer, gmail_get: Get):
    gmail_get("messages", q="devis", maxResults=5)
    log = sandbox.control("GET", "requests?api=gmail.users.messages.list")
    entry = log["requests"][-1]
    assert (entry["account"], entry["query"], entry["status"]) == (CAMILLE, {"q": "devis", "maxResults": "5"}, 200)
    assert log["counts"] == {"gmail.users.messages.list": 1}
    assert "gmail.users.messages.attachments.get" not in log["counts"]


def test_control_explains_what_it_refuses(sandbox: SandboxServer):
    with pytest.raises(RuntimeError, match="No account nobody"):
        sandbox.control("POST", "grant", {"email": "nobody@example.test"})
    with pytest.raises(RuntimeError, match="400 to 599"):
        sandbox.control("POST", "faults", {"status": 200})


def test_the_same_seed_makes_the_same_mail(sandbox: SandboxServer):
    def subjects() -> list[str]:
        sandbox.control("POST", "mailbox", {"clear": True, "count": 20, "seed": 4, "canary": "CANARY"})
        return [message["subject"] for message in sandbox.control("GET", "mailbox?q=canary")["messages"]]

    first = subjects()
    assert len(first) == 20 and first == subjects()


def send(sandbox: SandboxServer, to: str = "new@example.test") -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Aaperture <hello@aaperture.example>", to, "Confirmez votre adresse"
    mail.set_content("Suivez ce lien : http://localhost:8000/accounts/confirm-email/abc:def/\n<script>alert(1)</script>")
    mail.add_alternative("<p onclick=x>Suivez <a href='http://localhost:8000/x'>ce lien</a></p>", subtype="html")
    with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=10) as smtp:
        smtp.send_message(mail)


def test_mail_handed_to_smtp_is_on_a_page_and_in_json(sandbox: SandboxServer):
    send(sandbox)
    (mail,) = sandbox.control("GET", "mail?to=new@example.test")["mail"]
    assert mail["subject"] == "Confirmez votre adresse"
    assert mail["links"] == ["http://localhost:8000/accounts/confirm-email/abc:def/"]
    page = requests.get(f"{sandbox.url}/mail/{mail['id']}", timeout=10).text
    assert '<a href="http://localhost:8000/accounts/confirm-email/abc:def/">' in page
    assert "<script>" not in page and "<iframe" in page
    frame = requests.get(f"{sandbox.url}/mail/{mail['id']}/html", timeout=10)
    assert "sandbox" in frame.headers["Content-Security-Policy"]
    assert "Confirmez votre adresse" in requests.get(f"{sandbox.url}/mail", timeout=10).text


def test_some_recipients_are_refused(sandbox: SandboxServer):
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        send(sandbox, "somebody@refused.example")
    assert caught.value.recipients["somebody@refused.example"][0] == 550
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(sandbox, "somebody@later.example")


def test_the_console_sends_searches_and_makes_trouble(sandbox: SandboxServer, gmail_get: Get):
    def act(**form: str) -> str:
        return requests.post(f"{sandbox.url}/console/act", form, timeout=10).text

    assert "Delivered to" in act(do="send", email=CAMILLE, subject="Séance <b>", text="Bonjour", **{"from": "Zoë <z@example.net>"})
    mailbox = requests.get(f"{sandbox.url}/console/{CAMILLE}", params={"q": "subject:seance"}, timeout=10).text
    assert "Séance &lt;b&gt;" in mailbox and "1 message " in mailbox
    assert "now fail with 429" in act(do="fault", path="/gmail/", status="429", count="1")
    assert gmail_get("profile").status_code == 429
    assert "revoked" in act(do="revoke", email=CAMILLE)
    assert gmail_get("profile").status_code == 401
    assert "as at the start" in act(do="reset")


def test_only_this_machine_is_answered(sandbox: SandboxServer):
    rebound = requests.get(f"{sandbox.url}/", headers={"Host": "attacker.example"}, timeout=10)
    cross_site = requests.post(f"{sandbox.url}/_control/reset", headers={"Origin": "https://attacker.example"}, timeout=10)
    framed = requests.post(f"{sandbox.url}/_control/reset", headers={"Origin": "null"}, timeout=10)  # of a sandboxed frame
    assert (rebound.status_code, cross_site.status_code, framed.status_code) == (403, 403, 403)


def test_it_does_not_run_in_production(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ENVIRONMENT", "production")
    with pytest.raises(SystemExit, match="does not run"):
        SandboxServer().start()
    ended = subprocess.run(
        [sys.executable, "-m", "sandbox", "--port", "0"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode != 0 and "ENVIRONMENT=production" in ended.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="the signal at the parent's death is Linux's")
def test_it_ends_with_the_process_that_started_it():
    script = """
import time
from sandbox.server import SandboxServer
print(SandboxServer(demo=False).start().process.pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait(60)
    for _ in range(1200):
        if not is_running(child):
            return
        time.sleep(0.05)
    pytest.fail("the sandbox outlived its parent")


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False

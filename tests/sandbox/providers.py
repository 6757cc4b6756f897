"""The two Googles that the contract tests talk to: our sandbox, and `emulate`, which others wrote."""

import base64
import fcntl
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import time
from email.message import EmailMessage
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import requests
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build_from_document
from googleapiclient.discovery_cache import get_static_doc

from sandbox.authority import s256
from sandbox.server import SandboxServer

CLIENT_ID, CLIENT_SECRET = "sandbox-client.apps.example", "sandbox-secret"
REDIRECT_URI = "http://localhost:8000/auth/google/callback/"
CAMILLE = "camille@example.test"
GMAIL_READ = "https://www.googleapis.com/auth/gmail.readonly"
GMAIL_MODIFY = "https://www.googleapis.com/auth/gmail.modify"
SIGN_IN = ("openid", "email", "profile")
EMULATE = "emulate@0.11.2"  # `latest` on npm is an unrelated library
EMULATE_FOLDER = Path(__file__).resolve().parents[2] / ".data" / "emulate"
HIDDEN_INPUT = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


class EmulateMissing(Exception):
    """Node, npm or the package is not to be had here."""


class SandboxProvider:
    def __init__(self, server: SandboxServer) -> None:
        self.server, self.url = server, server.url

    def answer_consent(self, url: str, *, email: str = CAMILLE, untick: tuple[str, ...] = (), deny: bool = False) -> str:
        """Choose the account and decide as a person would in a browser; return where it leads."""
        browser = requests.Session()
        chooser = browser.get(url, timeout=10)
        form = {name: unescape(value) for name, value in HIDDEN_INPUT.findall(chooser.text)}
        page = browser.post(f"{self.url}/o/oauth2/v2/auth/account", {**form, "email": email}, timeout=10, allow_redirects=False)
        if page.status_code == 302:
            return page.headers["location"]
        ticked = [scope for scope in re.findall(r'name="scope" value="([^"]+)"', page.text) if scope not in untick]
        form = {name: unescape(value) for name, value in HIDDEN_INPUT.findall(page.text)}
        decision = {**form, "scope": ticked, "decision": "deny" if deny else "allow"}
        answer = browser.post(f"{self.url}/o/oauth2/v2/auth/consent", decision, timeout=10, allow_redirects=False)
        return answer.headers["location"]


class EmulateProvider:
    def __init__(self, url: str) -> None:
        self.url = url

    def answer_consent(self, url: str, *, email: str = CAMILLE) -> str:
        asked = dict(parse_qsl(urlsplit(url).query))
        answer = requests.post(f"{self.url}/o/oauth2/v2/auth/callback", {**asked, "email": email}, timeout=10, allow_redirects=False)
        return answer.headers["location"]


Provider = SandboxProvider | EmulateProvider


class SignIn:
    """One run of the authorization code flow, step by step, endpoints taken from discovery."""

    def __init__(self, provider: Provider, *, scopes: tuple[str, ...] = SIGN_IN, pkce: bool = True, **extra: str) -> None:
        self.provider = provider
        self.endpoints = requests.get(f"{provider.url}/.well-known/openid-configuration", timeout=10).json()
        self.state, self.nonce, self.verifier = (secrets.token_urlsafe(32) for _ in range(3))
        query = {
            "client_id": CLIENT_ID,
            "redirect_uri": REDIRECT_URI,
            "response_type": "code",
            "scope": " ".join(scopes),
            "state": self.state,
            "nonce": self.nonce,
        }
        if pkce:
            query |= {"code_challenge": s256(self.verifier), "code_challenge_method": "S256"}
        self.url = f"{self.endpoints['authorization_endpoint']}?{urlencode(query | extra)}"

    def come_back(self, **decision: Any) -> dict[str, str]:
        location = self.provider.answer_consent(self.url, **decision)
        assert location.startswith(REDIRECT_URI)
        return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}

    def exchange(self, code: str, *, verifier: str | None = None, secret: str = CLIENT_SECRET) -> requests.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "client_id": CLIENT_ID,
            "client_secret": secret,
            "code_verifier": self.verifier if verifier is None else verifier,
        }
        return requests.post(self.endpoints["token_endpoint"], form, timeout=10)

    def finish(self, **decision: Any) -> dict[str, Any]:
        return self.exchange(self.come_back(**decision)["code"]).json()


def tokens_for(provider: Provider, *scopes: str) -> dict[str, Any]:
    return SignIn(provider, scopes=(*SIGN_IN, *scopes), access_type="offline", prompt="consent").finish()


def credentials(provider: Provider, tokens: dict[str, Any], token: str | None = None) -> Credentials:
    endpoints = requests.get(f"{provider.url}/.well-known/openid-configuration", timeout=10).json()
    return Credentials(
        token or tokens["access_token"],
        refresh_token=tokens.get("refresh_token"),
        token_uri=endpoints["token_endpoint"],
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
    )


def gmail(url: str, creds: Credentials) -> Any:
    """Google's own client, its API, upload and batch addresses moved together."""
    document = json.loads(get_static_doc("gmail", "v1"))
    document |= {"rootUrl": f"{url}/", "baseUrl": f"{url}/", "batchPath": "batch/gmail/v1"}
    return build_from_document(document, credentials=creds)


def raw_mail(subject: str, text: str, *, sender: str = "Nina <nina@example.net>", attachment: bytes = b"") -> str:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, CAMILLE, subject
    mail["Message-ID"] = f"<{secrets.token_hex(8)}@example.net>"
    mail.set_content(text)
    if attachment:
        mail.add_attachment(attachment, "application", "pdf", filename="devis.pdf")
    return base64.urlsafe_b64encode(mail.as_bytes()).decode()


def install_emulate() -> Path:
    """Return emulate's program, installing it once per clone; raises EmulateMissing with the reason."""
    if not shutil.which("node") or not shutil.which("npm"):
        raise EmulateMissing("node and npm are not installed")
    program = EMULATE_FOLDER / "node_modules" / "emulate" / "dist" / "index.js"
    EMULATE_FOLDER.mkdir(parents=True, exist_ok=True)
    with (EMULATE_FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            (EMULATE_FOLDER / "package.json").write_text('{"private": true}')  # or npm would change the project's own
            options = [
                "--prefix",
                str(EMULATE_FOLDER),
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--fetch-retries=0",
                "--fetch-timeout=20000",
            ]
            try:
                subprocess.run(["npm", "install", *options, EMULATE], cwd=EMULATE_FOLDER, capture_output=True, timeout=120, check=True)
            except (subprocess.SubprocessError, OSError) as error:
                raise EmulateMissing(f"npm could not install {EMULATE}: {type(error).__name__}") from None
    return program


def start_emulate(seed: Path) -> tuple[subprocess.Popen[bytes], str]:
    program = install_emulate()
    users = [{"email": CAMILLE, "name": "Camille Morel"}]
    client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "name": "Aaperture", "redirect_uris": [REDIRECT_URI]}
    seed.write_text(json.dumps({"google": {"users": users, "oauth_clients": [client]}}))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ["node", str(program), "start", "--service", "google", "--port", str(port), "--base-url", url, "--seed", str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "NO_COLOR": "1"})
    for _ in range(150):
        if process.poll() is not None:
            break
        try:
            requests.get(f"{url}/.well-known/openid-configuration", timeout=5)
        except requests.ConnectionError:
            time.sleep(0.1)
        else:
            return process, url
    process.kill()
    raise EmulateMissing("emulate did not start")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])

"""An OpenID Connect provider that is not Google, on loopback, whose tokens can be given every defect.

`oidc-provider-mock` does the flow; around it, this signs the tokens anew with a key of its own, so that a test can say what
is in them.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import jwt
import oidc_provider_mock
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from werkzeug.serving import make_server

Claims = dict[str, Any]


class Provider:
    """The provider's address, and what it shall do to the claims of the next tokens (`edit`) and to their signature (`sign`)."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.url = ""
        self.reset()

    def reset(self) -> None:
        self.edit: Callable[[Claims], Claims] = lambda claims: claims
        self.sign: Callable[[Claims], str] = self.signed

    def signed(self, claims: Claims) -> str:
        return jwt.encode(claims, self.key, "RS256", headers={"kid": "tests"})

    def signed_by_another(self, claims: Claims) -> str:
        other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return jwt.encode(claims, other, "RS256", headers={"kid": "tests"})

    def signed_with_the_public_key(self, claims: Claims) -> str:
        return jwt.encode(claims, "0" * 32, "HS256", headers={"kid": "tests"})

    def unsigned(self, claims: Claims) -> str:
        return jwt.encode(claims, None, "none", headers={"kid": "tests"})

    def answer(self, url: str, subject: str) -> str:
        """What the browser of somebody who agrees is sent back to: path and query."""
        response = requests.post(url, data={"sub": subject}, allow_redirects=False, timeout=10)
        back = urlsplit(response.headers["Location"])
        return f"{back.path}?{back.query}"

    def wrap(self, application: Any) -> Callable[..., Iterable[bytes]]:
        def wrapped(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            if environ["PATH_INFO"] == "/jwks":
                public = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True) | {"kid": "tests", "alg": "RS256", "use": "sig"}
                start_response("200 OK", [("Content-Type", "application/json")])
                return [json.dumps({"keys": [public]}).encode()]
            if environ["PATH_INFO"] != "/oauth2/token":
                return application(environ, start_response)
            started: list[Any] = []
            body = json.loads(b"".join(application(environ, lambda status, headers, *_: started.extend((status, headers)))))
            if "id_token" in body:
                claims = jwt.decode(body["id_token"], options={"verify_signature": False})
                body["id_token"] = self.sign(self.edit(claims))
            start_response(started[0], [("Content-Type", "application/json")])
            return [json.dumps(body).encode()]

        return wrapped


@contextmanager
def running(*people: oidc_provider_mock.User) -> Iterator[Provider]:
    provider = Provider()
    application = oidc_provider_mock.app(user_claims=people)
    application.wsgi_app = provider.wrap(application.wsgi_app)  # type: ignore[method-assign]
    server = make_server("127.0.0.1", 0, application, threaded=True)
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    yield provider
    server.shutdown()
    thread.join()
    server.server_close()

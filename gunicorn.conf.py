"""Read by gunicorn when it starts here. Its settings stand on its command line; this is what it has no setting for."""

from gunicorn.http import wsgi


class NamelessResponse(wsgi.Response):
    """Says nothing about what serves it."""

    def default_headers(self) -> list[str]:
        return [line for line in super().default_headers() if not line.startswith("Server:")]


wsgi.Response = NamelessResponse

"""The mark of a source whose words may hold a key: sealed in the pipeline's cursor and in its runs', as the source's secret is.

A page's link, say, that carries a token. A mark that does not open any more means reading from the beginning, which loses nothing.
"""

from base64 import b64decode, b64encode

from integrations.models import Pipeline
from vault import services as vault
from vault.errors import SealedDataError

SEALED = "sealed:"


def _associated(pipeline: Pipeline) -> str:
    return f"integrations_pipeline|cursor|{pipeline.pk}"


def seal(mark: str, pipeline: Pipeline) -> str:
    """What may be kept of it; nothing of nothing."""
    if not mark:
        return ""
    return SEALED + b64encode(vault.seal(mark.encode(), pipeline.connection.key_owner, _associated(pipeline))).decode()


def opened(kept: str, pipeline: Pipeline) -> str:
    """The mark; nothing of what is not sealed, or does not open: that is read from the beginning."""
    if not kept.startswith(SEALED):
        return ""
    try:
        return vault.open_sealed(b64decode(kept[len(SEALED) :]), pipeline.connection.key_owner, _associated(pipeline)).decode()
    except (SealedDataError, ValueError):
        return ""

"""What runs stored, whatever the destination calls its columns."""
from tests.integrations import smoke_fake


def stored_ids() -> list[str]:
    return sorted(smoke_fake.STORED)

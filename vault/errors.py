class SealedDataError(Exception):
    """Sealed data could not be opened: altered, moved, its key gone. Says nothing about the data."""

    def __init__(self) -> None:
        super().__init__("Sealed data could not be opened.")


class SealedFieldUpdateError(TypeError):
    """`update()` and `bulk_update()` cannot seal, and a sealed value cannot move to a new row: sealing needs the whole row."""

"""Why something cannot be done with a document. Views turn each into words that say what to do."""


class NotPossible(Exception):
    """The document is in a state that does not allow it; `code` says which rule."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class Incomplete(NotPossible):
    """Fields without which nothing goes out: the document's (`contact`, `lines`) or `identity.<field>` of the studio's."""

    def __init__(self, missing: list[str]) -> None:
        self.missing = missing
        super().__init__("incomplete")

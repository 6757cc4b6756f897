"""The QR code that a banking application reads: EPC069-12 version 002, "SEPA credit transfer"."""

import io
from decimal import Decimal

import segno

MASK = 3  # any of the eight reads well on paper; to weigh them all takes five times as long
LEAST, MOST = Decimal("0.01"), Decimal("999999999.99")


def epc_qr(*, holder: str, iban: str, bic: str = "", amount: Decimal, remittance: str) -> bytes:
    """An SVG without colours of its own. Euro only. Raises ValueError for an amount that the standard does not allow."""
    if not LEAST <= amount <= MOST:
        raise ValueError("The amount must lie between 0.01 and 999999999.99 euro.")
    lines = ["BCD", "002", "1", "SCT", bic, holder[:70], iban.replace(" ", ""), f"EUR{amount:.2f}", "", "", remittance[:140]]
    svg = io.BytesIO()
    # the standard asks for error correction M and at most version 13
    segno.make("\n".join(lines), error="m", boost_error=False, micro=False, mask=MASK, encoding="utf-8").save(
        svg, kind="svg", xmldecl=False, svgclass=None, lineclass=None, omitsize=True
    )
    return svg.getvalue()

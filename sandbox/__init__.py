"""The outside world in one small program: Google sign-in, Gmail and an SMTP inbox, for development and tests.

Nothing here is imported by the product. See README.md for what is faithful and how tests steer it.
"""

import os


def refuse_production() -> None:
    if os.environ.get("ENVIRONMENT", "").strip().lower() == "production":
        raise SystemExit("The sandbox hands out tokens to anybody; it does not run with ENVIRONMENT=production.")

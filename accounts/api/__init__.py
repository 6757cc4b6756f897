"""`/api/auth/…` and the parts of `/api/v1/…` that are about accounts, by noun."""

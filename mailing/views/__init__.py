"""`/emails/…`: what goes out to clients, and what became of it."""

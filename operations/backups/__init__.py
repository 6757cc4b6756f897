"""Encrypted backups of the database and the object store, made while everybody works, and their restoration on the host."""

"""Keeping an attacker out while the rest goes on: networks blocked, people's ways in ended."""

"""The outside world in one small program: Google sign-in, Gmail and an SMTP inbox, for development and tests.

Nothing here is imported by the product. See README.md for what is faithful and how tests steer it.
"""

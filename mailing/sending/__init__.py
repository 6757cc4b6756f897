"""Sends what is due: claims rows, prepares mails in memory, hands them over on several connections, and marks each before and after."""

"""What people do with e-mails and templates: each in one transaction with its activity record."""

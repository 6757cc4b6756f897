"""What people do to contacts, projects and sessions: each in one transaction with its activity record and its timeline line."""

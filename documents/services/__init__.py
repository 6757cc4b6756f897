"""What people do with quotes, contracts, invoices and payments: each in one transaction with its record and its timeline line."""

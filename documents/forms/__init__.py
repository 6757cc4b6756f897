"""Forms of quotes, contracts, invoices and payments."""

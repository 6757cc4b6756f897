"""What every endpoint under `/api/` shares: strict input, one shape of errors, pages, allow-lists, limits, documentation."""

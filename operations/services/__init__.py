"""Everything this app writes, by noun."""

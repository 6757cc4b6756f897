"""How the instance is: measured when somebody looks, from database, Valkey and disk; nothing is kept of it."""

"""A pretend Stripe: Checkout, payments, subscriptions, invoices, refunds, disputes, signed webhooks. See ../README.md."""

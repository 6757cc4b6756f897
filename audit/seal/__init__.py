"""The seal on the activity log: what is hashed (`rows`), how batches are chained and signed (`chain`), who does it (`sealing`),
where the heads go (`heads`), how anybody checks it (`verification`), and where old months go (`archives`, `retention`)."""

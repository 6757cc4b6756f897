"""Photo sessions in their photographer's Google Calendar, in both directions.

`outbox` notes what is to be written, in the transaction of the change; `writing` writes it, `reading` takes what was changed there,
`syncing` does both for one calendar at a time, `choices` is for what was changed on both sides. Everything may be done twice.
"""

"""What the exchange must remember and be able to prove.

One database (SQLite by default, PostgreSQL by address) with the batches and their states, the order of the
publications, waivers and answers, and a hash chain of events beside them; receipts and daily seals are made
from the chain and can be checked without the database. The door is :class:`records.store.Records`.
"""

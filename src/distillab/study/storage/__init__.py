"""The store of results: schema, records, merge, check."""

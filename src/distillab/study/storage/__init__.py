"""The store of results: records, the schema and connection of their file, the store itself, checking and merging."""

"""What keeps persons out of the store: keys that stand outside the database, and names that are keyed hashes."""

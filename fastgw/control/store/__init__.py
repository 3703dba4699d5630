"""What administrators say, kept in SQLite or PostgreSQL: one schema, one set of migrations."""

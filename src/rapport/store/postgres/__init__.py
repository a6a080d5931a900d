"""PostgreSQL, and Citus, which is PostgreSQL over several machines."""

"""PostgreSQL: the engine for several machines."""

"""Inside a container of the stack: PostgreSQL's programs, the network, and no way to Docker."""

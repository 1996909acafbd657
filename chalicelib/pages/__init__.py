"""What people see: server-rendered HTML that needs no JavaScript."""

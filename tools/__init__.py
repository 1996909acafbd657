"""What those need who change the project."""

"""What is measured: one module each, with `measure(quick)`."""

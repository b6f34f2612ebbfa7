"""What is true: values and functions. No I/O, no clock, no framework."""

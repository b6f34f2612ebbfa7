"""What is kept outside the database, in files."""

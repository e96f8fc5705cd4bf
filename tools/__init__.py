"""Tools of the repository: the template reader, checks, and generators of what is checked in. Not deployed."""

"""Tools of the repository: the template reader and the drawing of the documentation's pictures. Not deployed."""

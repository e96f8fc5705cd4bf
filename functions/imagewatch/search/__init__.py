"""Search: the query language for stored images. One grammar for the command line, the API and the web app."""

"""Searches the images of a deployment."""

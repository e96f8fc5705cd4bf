"""Reads alerts, marks wrong ones, and renders them."""

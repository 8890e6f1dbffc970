"""Cells, their store and the executors that fill them."""

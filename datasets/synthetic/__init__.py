"""Synthetic pedestrians: street scenes drawn by a program, with exact boxes, outlines and visible fractions."""

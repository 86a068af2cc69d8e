"""Plots as SVG text: for the pages of the report, and as files of their own. Nothing is loaded, no script runs."""

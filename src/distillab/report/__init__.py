"""The report: charts (data first, then drawn), figures, and self-contained pages."""

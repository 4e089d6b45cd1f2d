"""The report on findings: a page with facts, slices, what tells them apart, a map, and examples."""

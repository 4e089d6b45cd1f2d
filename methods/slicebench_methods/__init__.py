"""The methods that ship with slicebench, one per file; each registers by an entry point, as a stranger's would."""

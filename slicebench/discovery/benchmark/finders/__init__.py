"""Finders of slices: functions of a table that return the slices they show.

`own` has those that run in this process and looks finders up by name. `peers` runs other tools,
each in a process that executes `peer_script`. `views` says what a peer sees of a table.
"""

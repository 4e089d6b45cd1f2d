"""Summarise and show results: the board, pages, Markdown, the leaderboard and its gate.

`standings/` computes the `board`; `page/`, `run_page`, `markdown`, `plots` and `contact_sheets` show it; `leaderboard/` keeps
results in the repository and compares new ones with them.

Decisions
- There is one `Board`. Only `standings` computes statistics; all other modules show them, so tables and pages agree.
- A leaderboard stores rankings, not scores: ranking metrics need nothing else, and 110 test splits of 27 methods take 9 MB.
"""

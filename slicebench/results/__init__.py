"""Many records: outcomes, the board, and what is made of it: pages, Markdown, the leaderboard and its gate.

`standings/` computes the `board`; `page/`, `run_page`, `markdown`, `plots` and `contact_sheets` show it; `leaderboard/` keeps
results in the repository and compares new ones with them.

Decisions
- There is one `Board`. Everything statistical is decided in `standings`, and all else only shows it, so nothing can disagree.
- A leaderboard keeps rankings, not scores: ranking metrics look at nothing else, and 110 test splits of 27 methods take 9 MB.
"""

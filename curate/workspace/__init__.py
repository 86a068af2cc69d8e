"""The workspace on disk: the tree of artefacts, their tables, the ledger."""

"""The working state of one plan, the only owner of the ledgers."""

"""The parts of the forecaster, and its peers in the backtest; each works on plain arrays."""

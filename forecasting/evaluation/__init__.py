"""How good forecasts are: questions asked at moments of the past, answers, and their scores."""

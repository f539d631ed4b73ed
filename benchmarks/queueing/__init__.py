"""How well jobs are scheduled under one choice of a site or another, by simulation on made-up and recorded arrivals."""

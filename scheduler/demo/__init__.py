"""`headroom demo`: the whole loop on one machine, on recorded Wikipedia traffic."""

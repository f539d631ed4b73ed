"""The replicas of models: started, moved, stopped; room for peaks; what is left at low tide."""

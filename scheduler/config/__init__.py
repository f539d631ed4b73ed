"""YAML files to frozen, validated values; the only room that reads YAML."""

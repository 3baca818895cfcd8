"""From words to a checked run: schema, composition, checks, identity; and the one door from configuration to object."""

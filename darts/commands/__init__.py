"""The commands, a module a family: arguments in, one call of the library, a few lines out."""

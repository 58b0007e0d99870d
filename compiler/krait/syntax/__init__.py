"""Source text to syntax tree: lexer, grammar, parser, and the tree they produce."""

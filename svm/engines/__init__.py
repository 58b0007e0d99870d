"""Engines: ways to run guests, all with the same results, traps, fuel and memory, bit for bit."""

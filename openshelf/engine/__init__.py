"""llama.cpp in a process of its own, and what is said to it."""

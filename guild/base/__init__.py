"""Which plumbing do the other rooms stand on? It knows no word of Guild."""

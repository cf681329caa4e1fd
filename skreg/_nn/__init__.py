"""Mathematics of the network: layers, losses, penalties, solvers, dropout, prediction."""

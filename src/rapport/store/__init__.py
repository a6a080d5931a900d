"""Where activities rest: the protocol, and the engines that keep it."""

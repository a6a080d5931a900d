"""Persistent storage: repositories, and the engines that implement them."""

"""Reports on contacts, campaigns and campaign activities, as typed values."""

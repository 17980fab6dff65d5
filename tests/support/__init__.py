"""What tests use: fakes, oracles, samples, and commands started as a user starts them."""

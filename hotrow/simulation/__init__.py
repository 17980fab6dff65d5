"""A discrete-event simulation of users whose transactions conflict at COMMIT: no clock, no database."""

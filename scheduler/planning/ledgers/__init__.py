"""Who has what of the room: reservations, bookings, and what queues hold."""

//! Is this token revoked? No I/O, no clock.

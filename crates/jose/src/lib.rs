//! Signs and verifies the few JWT kinds rescind speaks, and encrypts what must be read back.

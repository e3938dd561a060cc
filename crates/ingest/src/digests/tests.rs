//! What a digest gives.

//! Benchmarks live in the `*.rs` files beside this one.

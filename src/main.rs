//! NameServer and Broker in one process.
fn main() {}

//! Java clients against our servers, and against Java's as the control.
fn main() {}

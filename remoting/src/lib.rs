//! remoting

pub mod code;

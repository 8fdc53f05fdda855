//! Client versions: ordinals of Java's `MQVersion` enum, and the few that change what a server does.
//!
//! A version is compared, never looked up: a number past the end of the enum is a newer client.
//!
//! Java 4.7.0 `common/MQVersion.java`; the position of a constant in the enum is its number.

/// 4.7.0, what our servers and requests say they are.
pub const V4_7_0: i32 = 353;

/// `V3_0_7_SNAPSHOT`: from here a consumer understands offset resets (220) and status queries (221).
pub const RESET_OFFSET: i32 = 28;

/// `V3_0_11`: from here the body of 103 is a `RegisterBrokerBody`, before a `TopicConfigSerializeWrapper`.
pub const REGISTER_BODY: i32 = 37;

/// `V3_1_8_SNAPSHOT`: from here a consumer answers running-info and direct-consumption calls (307, 309).
pub const RUNNING_INFO: i32 = 62;

/// `V3_4_9`: from here the client's `maxReconsumeTimes` decides when a retry ends (36, sends to `%RETRY%`).
pub const MAX_RECONSUME_TIMES: i32 = 121;

/// `V4_9_4`: from here a client wants the route (105) as standard JSON, with quoted keys.
pub const STANDARD_JSON_ROUTE: i32 = 401;

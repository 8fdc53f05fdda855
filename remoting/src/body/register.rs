//! The body of 103: a broker's topics, as JSON or, with `compressed` in the header, as a zlib stream of
//!
//! | bytes | what                                                       |
//! |-------|------------------------------------------------------------|
//! | 4 + n | length and JSON of the DataVersion                         |
//! | 4     | number of topics                                           |
//! | 4 + n | for each topic length and line, see [`TopicConfig::encode`] |
//! | 4 + n | length and JSON of the list of filter servers              |
//!
//! Big-endian. The rule that is easy to break: no length is trusted, since a few bytes can inflate to
//! gigabytes; what is kept grows with what was read, up to [`INFLATED_LIMIT_BYTES`].
//!
//! Java 4.7.0 `common/protocol/body/RegisterBrokerBody.java`.

use std::fmt;
use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};

use super::topic_config::{TopicConfig, TopicConfigSerializeWrapper};
use crate::java::json::{self, JsonError};

/// What a compressed body may inflate to: 64 MiB, some 500,000 topics. Java knows no limit.
pub const INFLATED_LIMIT_BYTES: u64 = 64 << 20;

/// What a broker tells a name server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RegisterBrokerBody {
    /// Addresses of filter servers; always empty since 4.3.
    pub filter_server_list: Vec<String>,
    /// Topics and their version.
    pub topic_config_serialize_wrapper: TopicConfigSerializeWrapper,
}

/// Why a registration's body cannot be read. The registration fails, nothing of it is taken over.
#[derive(Debug)]
pub enum RegisterBodyError {
    /// Not the JSON it should be, as a whole or inside the compressed form.
    Json(JsonError),
    /// Not zlib, cut off, or longer than [`INFLATED_LIMIT_BYTES`] when inflated.
    Inflate(io::Error),
    /// A length below zero.
    Length(i32),
    /// A line that is no topic.
    Topic(String),
}

impl fmt::Display for RegisterBodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegisterBodyError::Json(error) => write!(f, "register body: {error}"),
            RegisterBodyError::Inflate(error) => write!(f, "register body: inflate: {error}"),
            RegisterBodyError::Length(length) => write!(f, "register body: length {length}"),
            RegisterBodyError::Topic(line) => write!(f, "register body: not a topic: {line:?}"),
        }
    }
}

impl std::error::Error for RegisterBodyError {}

impl From<JsonError> for RegisterBodyError {
    fn from(error: JsonError) -> Self {
        RegisterBodyError::Json(error)
    }
}

impl From<io::Error> for RegisterBodyError {
    fn from(error: io::Error) -> Self {
        RegisterBodyError::Inflate(error)
    }
}

impl RegisterBrokerBody {
    /// The body, compressed or as JSON.
    #[must_use]
    pub fn encode(&self, compressed: bool) -> Vec<u8> {
        if !compressed {
            return json::write(self);
        }
        let topics = &self.topic_config_serialize_wrapper;
        let mut plain = Vec::new();
        put_run(&mut plain, &json::write(&topics.data_version));
        plain.extend_from_slice(&length(topics.topic_config_table.len()).to_be_bytes());
        for topic in topics.topic_config_table.values() {
            put_run(&mut plain, topic.encode().as_bytes());
        }
        put_run(&mut plain, &json::write(&self.filter_server_list));
        deflate(&plain).expect("writing to a Vec does not fail")
    }

    /// Reads what `encode`, ours or Java's, has made.
    ///
    /// # Errors
    /// [`RegisterBodyError`]. A list of filter servers that does not parse counts as empty, as in Java.
    pub fn decode(bytes: &[u8], compressed: bool) -> Result<Self, RegisterBodyError> {
        if !compressed {
            return Ok(json::read(bytes)?);
        }
        let mut plain = ZlibDecoder::new(bytes).take(INFLATED_LIMIT_BYTES);
        let mut topics = TopicConfigSerializeWrapper {
            data_version: json::read(&take_run(&mut plain)?)?,
            topic_config_table: Default::default(),
        };
        for _ in 0..take_int(&mut plain)? {
            let line = String::from_utf8_lossy(&take_run(&mut plain)?).into_owned();
            let topic = TopicConfig::decode(&line).ok_or(RegisterBodyError::Topic(line))?;
            topics
                .topic_config_table
                .insert(topic.topic_name.clone(), topic);
        }
        let filter_server_list = json::read(&take_run(&mut plain)?).unwrap_or_default();
        Ok(RegisterBrokerBody {
            filter_server_list,
            topic_config_serialize_wrapper: topics,
        })
    }
}

fn deflate(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain)?;
    encoder.finish()
}

fn put_run(plain: &mut Vec<u8>, run: &[u8]) {
    plain.extend_from_slice(&length(run.len()).to_be_bytes());
    plain.extend_from_slice(run);
}

fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).expect("a broker's topics stay below 2 GiB")
}

fn take_int(plain: &mut impl Read) -> Result<i32, RegisterBodyError> {
    let mut bytes = [0; 4];
    plain.read_exact(&mut bytes)?;
    Ok(i32::from_be_bytes(bytes))
}

/// A length and as many bytes. The buffer grows with what is there, not with what the length says.
fn take_run(plain: &mut impl Read) -> Result<Vec<u8>, RegisterBodyError> {
    let length = take_int(plain)?;
    let bytes = u64::try_from(length).map_err(|_| RegisterBodyError::Length(length))?;
    let mut run = Vec::new();
    if plain.take(bytes).read_to_end(&mut run)? as u64 != bytes {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::super::assert_java;
    use super::super::topic_config::tests::two_topics;
    use super::*;
    use crate::java::dice::Dice;

    fn body() -> RegisterBrokerBody {
        RegisterBrokerBody {
            filter_server_list: vec!["10.0.0.1:30000".into()],
            topic_config_serialize_wrapper: two_topics(),
        }
    }

    /// What the compressed form keeps of `body`.
    fn body_without_flags() -> RegisterBrokerBody {
        let mut body = body();
        for topic in body
            .topic_config_serialize_wrapper
            .topic_config_table
            .values_mut()
        {
            topic.order = false;
            topic.topic_sys_flag = 0;
        }
        body
    }

    /// `RegisterBrokerBody.encode(true)` of 4.7.0, JDK 17's zlib.
    const JAVA: &str = "78da63606050af564ace2fcd2b492d52b232d7512ac9cc4d2d2e49cc2d50b232343740805a0606062620160a51b0503051305308f6f473f7718d0f7174078a0a872a189a819099826fa84f88275458285ac9d0400f040dad8c41a628c50200f65e18bb";

    fn java() -> Vec<u8> {
        (0..JAVA.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&JAVA[at..at + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn javas_json_body_survives() {
        assert_java(
            &body(),
            r#"{"filterServerList":["10.0.0.1:30000"],"topicConfigSerializeWrapper":{"dataVersion":{"counter":7,"timestamp":1700000000000},"topicConfigTable":{"T":{"order":false,"perm":6,"readQueueNums":8,"topicFilterType":"SINGLE_TAG","topicName":"T","topicSysFlag":0,"writeQueueNums":4},"U":{"order":true,"perm":6,"readQueueNums":16,"topicFilterType":"MULTI_TAG","topicName":"U","topicSysFlag":3,"writeQueueNums":16}}}}"#,
        );
        assert_eq!(
            RegisterBrokerBody::decode(&body().encode(false), false).unwrap(),
            body()
        );
    }

    #[test]
    fn a_json_body_of_5_x_is_read() {
        let newer = br#"{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":{"counter":1,"stateVersion":0,"timestamp":2},"mappingDataVersion":{},"topicConfigTable":{"T":{"attributes":{},"topicName":"T"}},"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{"T":{"bname":"b","currIdMap":{0:0}}}}}"#;
        let body = RegisterBrokerBody::decode(newer, false).unwrap();
        assert_eq!(
            body.topic_config_serialize_wrapper.topic_config_table["T"].perm,
            6
        );
    }

    #[test]
    fn javas_compressed_body_is_read_and_ours_inflates_to_the_same() {
        assert_eq!(
            RegisterBrokerBody::decode(&java(), true).unwrap(),
            body_without_flags()
        );
        let inflate = |bytes: &[u8]| {
            let mut plain = Vec::new();
            ZlibDecoder::new(bytes)
                .read_to_end(&mut plain)
                .map(|_| plain)
                .unwrap()
        };
        assert_eq!(inflate(&body().encode(true)), inflate(&java()));
    }

    #[test]
    fn a_body_cut_anywhere_is_refused() {
        let java = java();
        // Behind the last run only the end mark and the check sum stand, which Java does not wait for either.
        for cut in 0..java.len() - 6 {
            assert!(
                RegisterBrokerBody::decode(&java[..cut], true).is_err(),
                "accepted a body cut at byte {cut}"
            );
        }
    }

    #[test]
    fn lengths_are_not_trusted() {
        let version = br#"{"counter":1,"timestamp":2}"#;
        let mut with_topics = Vec::new();
        put_run(&mut with_topics, version);
        with_topics.extend_from_slice(&i32::MAX.to_be_bytes());
        let mut long_run = i32::MAX.to_be_bytes().to_vec();
        long_run.extend_from_slice(version);
        for plain in [with_topics, long_run, (-1_i32).to_be_bytes().to_vec()] {
            assert!(RegisterBrokerBody::decode(&deflate(&plain).unwrap(), true).is_err());
        }
    }

    #[test]
    fn a_body_that_inflates_without_end_is_refused() {
        let mut plain = i32::MAX.to_be_bytes().to_vec();
        plain.resize(usize::try_from(INFLATED_LIMIT_BYTES).unwrap() + 100, b' ');
        let bomb = deflate(&plain).unwrap();
        assert!(bomb.len() < 100_000);
        assert!(matches!(
            RegisterBrokerBody::decode(&bomb, true),
            Err(RegisterBodyError::Inflate(_))
        ));
    }

    #[test]
    fn damaged_bodies_never_panic() {
        let mut dice = Dice::new(3);
        let mut plain = Vec::new();
        ZlibDecoder::new(&java()[..])
            .read_to_end(&mut plain)
            .unwrap();
        for _ in 0..1000 {
            let _ = RegisterBrokerBody::decode(&dice.damage(&java()), true);
            let _ = RegisterBrokerBody::decode(&deflate(&dice.damage(&plain)).unwrap(), true);
            let _ = RegisterBrokerBody::decode(&dice.damage(&body().encode(false)), false);
        }
    }
}

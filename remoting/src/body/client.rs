//! What a client asks about itself: the body of 46.
//!
//! Java 4.7.0 `common/protocol/body/CheckClientRequestBody.java`.

use serde::{Deserialize, Serialize};

use super::heartbeat::SubscriptionData;

/// "Can you filter by this expression?"
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CheckClientBody {
    /// Client id.
    pub client_id: String,
    /// Consumer group.
    pub group: String,
    /// The subscription with its expression.
    pub subscription_data: SubscriptionData,
}

#[cfg(test)]
mod tests {
    use super::super::assert_java;
    use super::super::heartbeat::tests::tags_a_and_b;
    use super::*;

    #[test]
    fn javas_question_survives() {
        let body = CheckClientBody {
            client_id: "c".into(),
            group: "G".into(),
            subscription_data: tags_a_and_b(),
        };
        assert_java(
            &body,
            r#"{"clientId":"c","group":"G","subscriptionData":{"classFilterMode":false,"codeSet":[2598919,2598920],"expressionType":"TAG","subString":"TagA || TagB","subVersion":1700000000001,"tagsSet":["TagA","TagB"],"topic":"T"}}"#,
        );
    }
}

//! Transactions: ending one (37), asking a producer how one has ended (39), checking one anew (323).
//!
//! Java 4.7.0 `common/protocol/header/EndTransactionRequestHeader.java`, `CheckTransactionStateRequestHeader.java`,
//! `ResumeCheckHalfMessageRequestHeader.java`.

use std::borrow::Cow;

/// `commitOrRollback`: the producer does not know yet. Java 4.7.0 `MessageSysFlag`, as the two below.
pub const UNKNOWN: i32 = 0;
/// `commitOrRollback`: deliver the message.
pub const COMMIT: i32 = 0x8;
/// `commitOrRollback`: forget it.
pub const ROLLBACK: i32 = 0xC;

header! {
    /// 37, one-way: how a transaction has ended.
    pub struct EndTransactionRequest<'a> {
        /// The group that sent the half message.
        pub producer_group: Cow<'a, str> = "producerGroup",
        /// Where the half message lies in its queue, as the reply to its send said.
        pub tran_state_table_offset: i64 = "tranStateTableOffset",
        /// Where it lies in the log, as its id says.
        pub commit_log_offset: i64 = "commitLogOffset",
        /// [`COMMIT`], [`ROLLBACK`] or [`UNKNOWN`].
        pub commit_or_rollback: i32 = "commitOrRollback",
        /// Whether the broker has asked for it.
        pub from_transaction_check: bool = "fromTransactionCheck" or false,
        /// The id its sender gave the message.
        pub msg_id: Option<Cow<'a, str>> = "msgId",
        /// The same.
        pub transaction_id: Option<Cow<'a, str>> = "transactionId",
    }
}

header! {
    /// 39, one-way, to a producer: how has this transaction ended? The message is the body.
    pub struct CheckTransactionStateRequest {
        /// Where the half message lies in its queue now.
        pub tran_state_table_offset: i64 = "tranStateTableOffset",
        /// Where it lies in the log now.
        pub commit_log_offset: i64 = "commitLogOffset",
        /// The id its sender gave it.
        pub msg_id: Option<String> = "msgId",
        /// The same.
        pub transaction_id: Option<String> = "transactionId",
        /// The broker's id of it.
        pub offset_msg_id: Option<String> = "offsetMsgId",
    }
}

header! {
    /// 323: ask again for a message that was asked for too often.
    pub struct ResumeCheckHalfMessageRequest {
        /// The broker's id of it.
        pub msg_id: Option<String> = "msgId",
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_header;
    use super::*;
    use crate::ext_fields::ExtFields;
    use crate::header::Header;

    #[test]
    fn an_end_says_which_message_and_how() {
        let fields = [
            ("producerGroup", "P"),
            ("tranStateTableOffset", "7"),
            ("commitLogOffset", "1234"),
            ("commitOrRollback", "8"),
            ("fromTransactionCheck", "true"),
            ("msgId", "0A"),
            ("transactionId", "0A"),
        ];
        let fields: ExtFields = fields.into_iter().collect();
        let expected = EndTransactionRequest {
            producer_group: "P".into(),
            tran_state_table_offset: 7,
            commit_log_offset: 1234,
            commit_or_rollback: COMMIT,
            from_transaction_check: true,
            msg_id: Some("0A".into()),
            transaction_id: Some("0A".into()),
        };
        assert_eq!(EndTransactionRequest::read(&fields), Ok(expected));
        let needed = [
            ("producerGroup", "P"),
            ("tranStateTableOffset", "7"),
            ("commitLogOffset", "1234"),
            ("commitOrRollback", "12"),
        ];
        for (left_out, _) in needed {
            let fields: ExtFields = needed
                .into_iter()
                .filter(|(name, _)| *name != left_out)
                .collect();
            assert!(EndTransactionRequest::read(&fields).is_err(), "{left_out}");
        }
        let fields: ExtFields = needed.into_iter().collect();
        let least = EndTransactionRequest::read(&fields).expect("all that is needed");
        assert!(!least.from_transaction_check && least.msg_id.is_none());
    }

    #[test]
    fn a_check_says_where_the_message_lies() {
        let check = CheckTransactionStateRequest {
            tran_state_table_offset: 7,
            commit_log_offset: 1234,
            msg_id: Some("0A".into()),
            transaction_id: Some("0A".into()),
            offset_msg_id: Some("0B".into()),
        };
        let fields = [
            ("tranStateTableOffset", "7"),
            ("commitLogOffset", "1234"),
            ("msgId", "0A"),
            ("transactionId", "0A"),
            ("offsetMsgId", "0B"),
        ];
        assert_header(&check, &fields, &["msgId", "transactionId", "offsetMsgId"]);
        let msg_id = Some("0B".into());
        let resume = ResumeCheckHalfMessageRequest { msg_id };
        assert_header(&resume, &[("msgId", "0B")], &["msgId"]);
    }
}

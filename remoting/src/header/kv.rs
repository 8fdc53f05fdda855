//! The name server's strings by namespace and key: 100, 101, 102, 219.
//!
//! Java 4.7.0 `common/protocol/header/namesrv/*KV*RequestHeader.java`, `GetKVConfigResponseHeader.java`.

header! {
    /// 100: set a key.
    pub struct PutKVConfigRequest {
        /// Namespace.
        pub namespace: String = "namespace",
        /// Key.
        pub key: String = "key",
        /// Value.
        pub value: String = "value",
    }
}

header! {
    /// 101: get a key.
    pub struct GetKVConfigRequest {
        /// Namespace.
        pub namespace: String = "namespace",
        /// Key.
        pub key: String = "key",
    }
}

header! {
    /// The answer to 101.
    pub struct GetKVConfigReply {
        /// Value.
        pub value: Option<String> = "value",
    }
}

header! {
    /// 102: delete a key.
    pub struct DeleteKVConfigRequest {
        /// Namespace.
        pub namespace: String = "namespace",
        /// Key.
        pub key: String = "key",
    }
}

header! {
    /// 219: all keys of a namespace, answered in the body.
    pub struct GetKVListByNamespaceRequest {
        /// Namespace.
        pub namespace: String = "namespace",
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_header;
    use super::*;

    #[test]
    fn keys_are_set_asked_for_and_deleted() {
        let (namespace, key, value) = (String::from("n"), String::from("k"), String::from("v = 1"));
        let fields = [("namespace", "n"), ("key", "k"), ("value", "v = 1")];
        let put = PutKVConfigRequest {
            namespace: namespace.clone(),
            key: key.clone(),
            value: value.clone(),
        };
        assert_header(&put, &fields, &[]);
        let get = GetKVConfigRequest {
            namespace: namespace.clone(),
            key: key.clone(),
        };
        assert_header(&get, &fields[..2], &[]);
        let delete = DeleteKVConfigRequest {
            namespace: namespace.clone(),
            key,
        };
        assert_header(&delete, &fields[..2], &[]);
        assert_header(
            &GetKVListByNamespaceRequest { namespace },
            &fields[..1],
            &[],
        );
        assert_header(
            &GetKVConfigReply { value: Some(value) },
            &fields[2..],
            &["value"],
        );
    }
}

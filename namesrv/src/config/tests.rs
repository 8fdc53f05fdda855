//! Files of every kind, changes at run time, and what Java would list.

use super::*;

fn load(text: &str) -> (NamesrvConfig, Vec<Notice>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("namesrv.properties");
    fs::write(&path, text).unwrap();
    NamesrvConfig::load(&path).expect("a readable file")
}

fn change(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn value<'a>(listed: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = listed.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

#[test]
fn a_file_changes_what_it_names_and_nothing_else() {
    let (config, notices) =
        load("listenPort=1234\norderMessageEnable=TRUE\nserverWorkerThreads = 4\n");
    assert_eq!(notices, []);
    assert_eq!(
        (config.listen_port, config.order_message_enable),
        (1234, true)
    );
    let default = NamesrvConfig::default();
    assert_eq!(config.kv_config_path, default.kv_config_path);
    assert_ne!(
        config.config_store_path, default.config_store_path,
        "318 writes to the -c file"
    );
    assert_eq!(value(&config.listed(), "serverWorkerThreads"), Some("4"));
}

#[test]
fn an_unknown_key_or_a_bad_value_is_a_notice_and_the_default_stays() {
    let (config, notices) =
        load("listenPort=98x\nclusterTest=yes\nnoSuchKey=1\nserverSelectorThreads=3 \n");
    assert_eq!(config.listen_port, 9876);
    assert!(!config.cluster_test);
    let text: Vec<String> = notices.iter().map(Notice::to_string).collect();
    assert_eq!(text.len(), 3, "{text:?}");
    assert!(text[0].contains("listenPort") && text[0].contains("98x"));
    assert!(text[1].contains("noSuchKey"));
    assert!(
        text[2].contains("serverSelectorThreads"),
        "Java does not trim numbers"
    );
    assert_eq!(
        value(&config.listed(), "noSuchKey"),
        Some("1"),
        "Java lists it too"
    );
}

#[test]
fn cluster_test_says_what_it_does_not_do() {
    let (config, notices) = load("clusterTest=true\n");
    assert!(config.cluster_test);
    assert_eq!(notices, [Notice::ClusterTest]);
}

#[test]
fn a_file_that_is_not_there_is_an_error_that_names_it() {
    let error = NamesrvConfig::load(Path::new("/no/such/file")).expect_err("missing");
    assert!(error.to_string().contains("/no/such/file"));
}

#[test]
fn paths_addresses_and_ports_do_not_change_at_run_time() {
    let refused = [
        "rocketmqHome",
        "kvConfigPath",
        "configStorePath",
        "configBlackList",
        "listenPort",
        "bindAddress",
    ];
    for name in refused {
        let mut config = NamesrvConfig::default();
        let before = config.clone();
        let changes = [change("orderMessageEnable", "true"), change(name, "1")];
        assert_eq!(
            config.update(&changes),
            Err(Forbidden::Key(name.to_owned()))
        );
        assert_eq!(config, before, "{name}: nothing of the request is taken");
    }
}

#[test]
fn the_black_list_of_the_file_adds_to_what_is_refused() {
    let (mut config, _) = load("configBlackList=orderMessageEnable;other\n");
    let refused = config.update(&[change("orderMessageEnable", "true")]);
    assert_eq!(
        refused,
        Err(Forbidden::Key("orderMessageEnable".to_owned()))
    );
    assert!(config.update(&[change("kvConfigPath", "/tmp/x")]).is_err());
    assert_eq!(config.update(&[change("productEnvName", "x")]), Ok(vec![]));
}

#[test]
fn an_update_passes_over_unknown_keys_and_bad_values() {
    let mut config = NamesrvConfig::default();
    let changes = [
        change("orderMessageEnable", "true"),
        change("noSuchKey", "1"),
        change("serverSelectorThreads", "many"),
    ];
    let notices = config.update(&changes).expect("nothing forbidden");
    assert_eq!(notices.len(), 2);
    assert!(config.order_message_enable);
    assert_eq!(value(&config.listed(), "noSuchKey"), None);
    assert_eq!(value(&config.listed(), "serverSelectorThreads"), Some("3"));
}

#[test]
fn the_list_has_exactly_the_keys_of_java_4_7_0() {
    let (mut config, _) = load("rocketmqHome=/home/mq\n");
    let names: Vec<String> = config.listed().into_iter().map(|(name, _)| name).collect();
    let java = [
        "rocketmqHome",
        "kvConfigPath",
        "configStorePath",
        "productEnvName",
        "clusterTest",
        "orderMessageEnable",
        "listenPort",
        "serverWorkerThreads",
        "serverCallbackExecutorThreads",
        "serverSelectorThreads",
        "serverOnewaySemaphoreValue",
        "serverAsyncSemaphoreValue",
        "serverChannelMaxIdleTimeSeconds",
        "serverSocketSndBufSize",
        "serverSocketRcvBufSize",
        "serverPooledByteBufAllocatorEnable",
        "useEpollNativeSelector",
    ];
    assert_eq!(names, java);
    config.rocketmq_home = None;
    assert_eq!(
        config.listed().len(),
        java.len() - 1,
        "Java leaves out null"
    );
    assert!(
        config.printed().starts_with("rocketmqHome=\nkvConfigPath="),
        "and prints it as nothing"
    );
}

#[test]
fn a_change_is_written_into_the_file_and_cannot_smuggle_in_a_line() {
    let (mut config, _) = load("");
    let file = b"# ours\nlistenPort=1\nnoSuchKey=kept\nproductEnvName=old\n";
    let changes = [
        change("productEnvName", "x\nkvConfigPath=/evil"),
        change("noSuchKey", "2"),
    ];
    config.update(&changes).expect("nothing forbidden");
    let written = config.written_back(file, &changes).expect("sound");
    let pairs = config_file::read(&written).expect("sound");
    let expected = [
        change("listenPort", "1"),
        change("noSuchKey", "kept"),
        change("productEnvName", "x\nkvConfigPath=/evil"),
    ];
    assert_eq!(pairs, expected);
}

#[test]
fn an_idle_time_of_zero_switches_the_check_off() {
    let (config, _) = load("serverChannelMaxIdleTimeSeconds=0\nserverSocketSndBufSize=-1\n");
    assert_eq!(config.server().idle, NEVER_IDLE);
    assert_eq!(config.server().send_buffer_bytes, 0);
}

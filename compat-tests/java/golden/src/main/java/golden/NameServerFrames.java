package golden;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.rocketmq.common.DataVersion;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.UtilAll;
import org.apache.rocketmq.common.namesrv.NamesrvConfig;
import org.apache.rocketmq.common.protocol.RequestCode;
import org.apache.rocketmq.common.protocol.body.RegisterBrokerBody;
import org.apache.rocketmq.common.protocol.body.TopicConfigSerializeWrapper;
import org.apache.rocketmq.common.protocol.header.GetTopicsByClusterRequestHeader;
import org.apache.rocketmq.common.protocol.header.namesrv.DeleteKVConfigRequestHeader;
import org.apache.rocketmq.common.protocol.header.namesrv.DeleteTopicInNamesrvRequestHeader;
import org.apache.rocketmq.common.protocol.header.namesrv.GetKVConfigRequestHeader;
import org.apache.rocketmq.common.protocol.header.namesrv.GetKVListByNamespaceRequestHeader;
import org.apache.rocketmq.common.protocol.header.namesrv.GetRouteInfoRequestHeader;
import org.apache.rocketmq.common.protocol.header.namesrv.PutKVConfigRequestHeader;
import org.apache.rocketmq.common.protocol.header.namesrv.QueryDataVersionRequestHeader;
import org.apache.rocketmq.common.protocol.header.namesrv.RegisterBrokerRequestHeader;
import org.apache.rocketmq.common.protocol.header.namesrv.UnRegisterBrokerRequestHeader;
import org.apache.rocketmq.common.protocol.header.namesrv.WipeWritePermOfBrokerRequestHeader;
import org.apache.rocketmq.common.sysflag.TopicSysFlag;
import org.apache.rocketmq.namesrv.NamesrvController;
import org.apache.rocketmq.remoting.CommandCustomHeader;
import org.apache.rocketmq.remoting.netty.NettyServerConfig;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/** Talks to a running 4.7.0 name server and keeps what both sides said. */
final class NameServerFrames {
    private final Frames frames;
    private final Tcp tcp;

    private NameServerFrames(Frames frames, Tcp tcp) {
        this.frames = frames;
        this.tcp = tcp;
    }

    static void record(Frames frames, Path work, Path config) throws Exception {
        Files.createDirectories(work);
        NamesrvConfig namesrv = new NamesrvConfig();
        namesrv.setKvConfigPath(work.resolve("kvConfig.json").toString());
        namesrv.setConfigStorePath(work.resolve("namesrv.properties").toString());
        namesrv.setOrderMessageEnable(true);
        NettyServerConfig netty = new NettyServerConfig();
        netty.setListenPort(Tcp.freePort());
        NamesrvController controller = new NamesrvController(namesrv, netty);
        controller.initialize();
        controller.start();
        try (Tcp tcp = new Tcp(netty.getListenPort())) {
            new NameServerFrames(frames, tcp).all();
        } finally {
            controller.shutdown();
        }
        Files.copy(work.resolve("kvConfig.json"), config.resolve("kvConfig.json"));
    }

    private void all() throws Exception {
        keyValues();
        registrations();
        queries();
        changes();
    }

    private void exchange(String name, int code, CommandCustomHeader header, byte[] body) throws Exception {
        RemotingCommand request = RemotingCommand.createRequestCommand(code, header);
        request.setBody(body);
        byte[] reply = tcp.call(request);
        frames.codec(name + "_request", request);
        frames.recorded(name + "_reply", "namesrv", reply);
    }

    private void put(String name, String namespace, String key, String value) throws Exception {
        PutKVConfigRequestHeader put = new PutKVConfigRequestHeader();
        put.setNamespace(namespace);
        put.setKey(key);
        put.setValue(value);
        exchange(name, RequestCode.PUT_KV_CONFIG, put, null);
    }

    private void get(String name, String key) throws Exception {
        GetKVConfigRequestHeader get = new GetKVConfigRequestHeader();
        get.setNamespace("GOLDEN");
        get.setKey(key);
        exchange(name, RequestCode.GET_KV_CONFIG, get, null);
    }

    private void keyValues() throws Exception {
        put("kv_put", "GOLDEN", "key one", "value \"1\" " + CodecFrames.UNICODE);
        put("kv_put_second", "GOLDEN", "key-2", "");
        put("kv_put_order_topic", "ORDER_TOPIC_CONFIG", "GoldenOrder", "broker-a:4;broker-b:4");
        get("kv_get", "key one");
        get("kv_get_missing", "no such key");
        GetKVListByNamespaceRequestHeader list = new GetKVListByNamespaceRequestHeader();
        list.setNamespace("GOLDEN");
        exchange("kv_list", RequestCode.GET_KVLIST_BY_NAMESPACE, list, null);
        DeleteKVConfigRequestHeader delete = new DeleteKVConfigRequestHeader();
        delete.setNamespace("GOLDEN");
        delete.setKey("key-2");
        exchange("kv_delete", RequestCode.DELETE_KV_CONFIG, delete, null);
        GetKVListByNamespaceRequestHeader missing = new GetKVListByNamespaceRequestHeader();
        missing.setNamespace("NOWHERE");
        exchange("kv_list_missing", RequestCode.GET_KVLIST_BY_NAMESPACE, missing, null);
    }

    private static DataVersion version(long counter) {
        DataVersion version = new DataVersion();
        version.setTimestamp(CodecFrames.BORN_MS);
        version.setCounter(new AtomicLong(counter));
        return version;
    }

    private static RegisterBrokerBody body() {
        TopicConfigSerializeWrapper topics = new TopicConfigSerializeWrapper();
        topics.setDataVersion(version(3));
        TopicConfig unit = new TopicConfig("GoldenUnit", 4, 4, 6);
        unit.setTopicSysFlag(TopicSysFlag.buildSysFlag(true, true));
        TopicConfig order = new TopicConfig("GoldenOrder", 4, 4, 6);
        order.setOrder(true);
        for (TopicConfig topic : Arrays.asList(new TopicConfig("GoldenTopic", 8, 16, 6), new TopicConfig("TBW102", 8, 8, 7), unit, order)) {
            topics.getTopicConfigTable().put(topic.getTopicName(), topic);
        }
        RegisterBrokerBody body = new RegisterBrokerBody();
        body.setTopicConfigSerializeWrapper(topics);
        body.setFilterServerList(new ArrayList<String>());
        return body;
    }

    private void register(String name, String broker, String addr, long id, RegisterBrokerBody body, boolean compressed, boolean crc)
        throws Exception {
        RegisterBrokerRequestHeader header = new RegisterBrokerRequestHeader();
        header.setBrokerName(broker);
        header.setBrokerAddr(addr);
        header.setClusterName("GoldenCluster");
        header.setHaServerAddr(addr.replace("10911", "10912"));
        header.setBrokerId(id);
        header.setCompressed(compressed);
        byte[] bytes = body.encode(compressed);
        if (crc) {
            header.setBodyCrc32(UtilAll.crc32(bytes));
        }
        exchange(name, RequestCode.REGISTER_BROKER, header, bytes);
    }

    private void registrations() throws Exception {
        register("register_master", "broker-a", "10.0.0.1:10911", 0, body(), false, true);
        register("register_master_compressed", "broker-b", "10.0.0.3:10911", 0, body(), true, true);
        RegisterBrokerBody withFilterServer = body();
        withFilterServer.getFilterServerList().add("10.0.0.2:30001");
        register("register_slave", "broker-a", "10.0.0.2:10911", 1, withFilterServer, false, false);

        QueryDataVersionRequestHeader query = new QueryDataVersionRequestHeader();
        query.setBrokerName("broker-a");
        query.setBrokerAddr("10.0.0.1:10911");
        query.setClusterName("GoldenCluster");
        query.setBrokerId(0L);
        exchange("data_version_same", RequestCode.QUERY_DATA_VERSION, query, version(3).encode());
        exchange("data_version_changed", RequestCode.QUERY_DATA_VERSION, query, version(4).encode());
        query.setBrokerAddr("10.9.9.9:10911");
        exchange("data_version_unknown_broker", RequestCode.QUERY_DATA_VERSION, query, version(4).encode());
    }

    private void route(String name, String topic) throws Exception {
        GetRouteInfoRequestHeader route = new GetRouteInfoRequestHeader();
        route.setTopic(topic);
        exchange(name, RequestCode.GET_ROUTEINTO_BY_TOPIC, route, null);
    }

    private void queries() throws Exception {
        route("route", "GoldenTopic");
        route("route_ordered", "GoldenOrder");
        route("route_missing", "NoSuchTopic");
        exchange("cluster_info", RequestCode.GET_BROKER_CLUSTER_INFO, null, null);
        exchange("all_topics", RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER, null, null);
        exchange("system_topics", RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_NS, null, null);
        exchange("unit_topics", RequestCode.GET_UNIT_TOPIC_LIST, null, null);
        GetTopicsByClusterRequestHeader cluster = new GetTopicsByClusterRequestHeader();
        cluster.setCluster("GoldenCluster");
        exchange("topics_by_cluster", RequestCode.GET_TOPICS_BY_CLUSTER, cluster, null);
        cluster.setCluster("NoSuchCluster");
        exchange("topics_by_unknown_cluster", RequestCode.GET_TOPICS_BY_CLUSTER, cluster, null);
    }

    private void changes() throws Exception {
        WipeWritePermOfBrokerRequestHeader wipe = new WipeWritePermOfBrokerRequestHeader();
        wipe.setBrokerName("broker-b");
        exchange("wipe_write_permission", RequestCode.WIPE_WRITE_PERM_OF_BROKER, wipe, null);
        route("route_after_wipe", "GoldenTopic");
        DeleteTopicInNamesrvRequestHeader delete = new DeleteTopicInNamesrvRequestHeader();
        delete.setTopic("GoldenUnit");
        exchange("delete_topic_in_namesrv", RequestCode.DELETE_TOPIC_IN_NAMESRV, delete, null);
        UnRegisterBrokerRequestHeader gone = new UnRegisterBrokerRequestHeader();
        gone.setBrokerName("broker-b");
        gone.setBrokerAddr("10.0.0.3:10911");
        gone.setClusterName("GoldenCluster");
        gone.setBrokerId(0L);
        exchange("unregister_broker", RequestCode.UNREGISTER_BROKER, gone, null);
        route("route_after_unregister", "GoldenTopic");
        // A body that is not what the header says: the name server answers with the exception's text.
        RegisterBrokerRequestHeader broken = new RegisterBrokerRequestHeader();
        broken.setBrokerName("broker-c");
        broken.setBrokerAddr("10.0.0.4:10911");
        broken.setClusterName("GoldenCluster");
        broken.setHaServerAddr("10.0.0.4:10912");
        broken.setBrokerId(0L);
        broken.setBodyCrc32(12345);
        exchange("register_with_wrong_crc", RequestCode.REGISTER_BROKER, broken, "x".getBytes(StandardCharsets.UTF_8));
    }
}

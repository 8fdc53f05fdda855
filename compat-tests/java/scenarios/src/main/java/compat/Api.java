package compat;

import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiFunction;

import io.netty.channel.ChannelFuture;

import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.impl.MQClientAPIImpl;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.remoting.RemotingClient;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;

/** What is not the same in the clients 4.4.0 to 5.3.3, and what they keep inside. */
final class Api {
    private Api() {
    }

    /** {@code MessageModel} moved to another package in 5.x. */
    @SuppressWarnings({"unchecked", "rawtypes"})
    static void setBroadcasting(DefaultMQPushConsumer consumer) {
        for (Method method : DefaultMQPushConsumer.class.getMethods()) {
            if (method.getName().equals("setMessageModel")) {
                Class model = method.getParameterTypes()[0];
                call(method, consumer, Enum.valueOf(model, "BROADCASTING"));
                return;
            }
        }
        throw new IllegalStateException("this client has no setMessageModel");
    }

    /** {@code createTopic} got a map of attributes in 5.x. {@code key} is a topic whose route names the brokers. */
    static void createTopic(DefaultMQProducer producer, String key, String topic, int queues) {
        for (Method method : DefaultMQProducer.class.getMethods()) {
            if (!method.getName().equals("createTopic")) {
                continue;
            }
            Class<?>[] types = method.getParameterTypes();
            if (types.length == 3) {
                call(method, producer, key, topic, queues);
                return;
            }
            if (types.length == 4 && types[3] == Map.class) {
                call(method, producer, key, topic, queues, new HashMap<String, String>());
                return;
            }
        }
        throw new IllegalStateException("this client has no createTopic that is known here");
    }

    /** The ways in which this client compresses: ZLIB in all, more in 5.x. */
    static List<String> compressionTypes() {
        Method choice = compressionChoice();
        if (choice == null) {
            return List.of("ZLIB");
        }
        List<String> names = new ArrayList<>();
        for (Object constant : choice.getParameterTypes()[0].getEnumConstants()) {
            names.add(((Enum<?>) constant).name());
        }
        return names;
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static void setCompressionType(DefaultMQProducer producer, String name) {
        Method choice = compressionChoice();
        if (choice != null) {
            Class type = choice.getParameterTypes()[0];
            call(choice, producer, Enum.valueOf(type, name));
        }
    }

    private static Method compressionChoice() {
        for (Method method : DefaultMQProducer.class.getMethods()) {
            if (method.getName().equals("setCompressType")) {
                return method;
            }
        }
        return null;
    }

    static MQClientAPIImpl calls(DefaultMQProducer producer) {
        return producer.getDefaultMQProducerImpl().getmQClientFactory().getMQClientAPIImpl();
    }

    /** One request past the client's own checks, on the client's own connection. */
    static RemotingCommand call(DefaultMQProducer producer, String addr, int code, Map<String, String> fields, byte[] body)
        throws Exception {
        return call(producer, addr, code, fields, body, 10_000);
    }

    static RemotingCommand call(DefaultMQProducer producer, String addr, int code, Map<String, String> fields, byte[] body, long limitMs)
        throws Exception {
        RemotingCommand request = RemotingCommand.createRequestCommand(code, null);
        request.setExtFields(new HashMap<>(fields));
        request.setBody(body);
        return calls(producer).getRemotingClient().invokeSync(addr, request, limitMs);
    }

    /** The same without an answer. */
    static void oneway(DefaultMQProducer producer, String addr, int code, byte[] body) throws Exception {
        RemotingCommand request = RemotingCommand.createRequestCommand(code, null);
        request.setBody(body);
        calls(producer).getRemotingClient().invokeOneway(addr, request, 10_000);
    }

    /** Addresses to which the client has a connection. */
    static Set<String> connections(DefaultMQProducer producer) throws ReflectiveOperationException {
        Set<String> addresses = new TreeSet<>();
        for (Object address : connectionTable(producer).keySet()) {
            addresses.add(address.toString());
        }
        return addresses;
    }

    /** The client's connection to {@code addr}: another object when it was closed and made again. */
    static Object connection(DefaultMQProducer producer, String addr) throws ReflectiveOperationException {
        return connectionTable(producer).get(addr);
    }

    private static Map<?, ?> connectionTable(DefaultMQProducer producer) throws ReflectiveOperationException {
        RemotingClient client = calls(producer).getRemotingClient();
        Field field = client.getClass().getDeclaredField("channelTables");
        field.setAccessible(true);
        return (Map<?, ?>) field.get(client);
    }

    /** Whether this client has a class. */
    static boolean has(String name) {
        try {
            Class.forName(name);
            return true;
        } catch (ClassNotFoundException none) {
            return false;
        }
    }

    /** What a client of another version has and this source may not name, seen through an interface with the same methods. */
    static <T> T as(Class<T> face, Object target) {
        return face.cast(Proxy.newProxyInstance(face.getClassLoader(), new Class<?>[] {face}, (proxy, method, args) ->
            call(target.getClass().getMethod(method.getName(), method.getParameterTypes()), target, args)));
    }

    /** An object of an interface that this source may not name; it is told each call's name and arguments. */
    static Object listener(Class<?> face, BiFunction<String, Object[], Object> told) {
        return Proxy.newProxyInstance(face.getClassLoader(), new Class<?>[] {face}, (proxy, method, args) -> {
            Object answer = told.apply(method.getName(), args);
            return method.getReturnType() == void.class ? null : answer;
        });
    }

    static Object callStatic(String type, String name, Class<?>[] types, Object... args) throws ReflectiveOperationException {
        return call(Class.forName(type).getMethod(name, types), null, args);
    }

    /** Cuts every connection of a client, as a network would. */
    static void cutConnections(DefaultMQProducer producer) throws ReflectiveOperationException {
        RemotingClient client = calls(producer).getRemotingClient();
        Field field = client.getClass().getDeclaredField("channelTables");
        field.setAccessible(true);
        for (Object wrapper : List.copyOf(((Map<?, ?>) field.get(client)).values())) {
            Field future = wrapper.getClass().getDeclaredField("channelFuture");
            future.setAccessible(true);
            ((ChannelFuture) future.get(wrapper)).channel().close().awaitUninterruptibly();
        }
    }

    private static Object call(Method method, Object target, Object... args) {
        try {
            return method.invoke(target, args);
        } catch (InvocationTargetException thrown) {
            throw Api.<RuntimeException>asIs(thrown.getCause());
        } catch (IllegalAccessException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    /** Throws a checked exception as it is: the scenarios look at its class. */
    @SuppressWarnings("unchecked")
    private static <T extends Throwable> RuntimeException asIs(Throwable thrown) throws T {
        throw (T) thrown;
    }
}

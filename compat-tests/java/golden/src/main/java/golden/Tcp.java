package golden;

import java.io.Closeable;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.SerializeType;

/** One plain connection: requests out as 4.7.0 encodes them, frames in as they arrived. */
final class Tcp implements Closeable {
    private static int nextOpaque = 1000;

    /** Frames the server sent on its own account. */
    final List<byte[]> pushed = new ArrayList<>();
    private final Socket socket;
    private final DataInputStream in;

    Tcp(int port) throws IOException {
        socket = new Socket(InetAddress.getLoopbackAddress(), port);
        socket.setSoTimeout(20_000);
        in = new DataInputStream(socket.getInputStream());
    }

    /** Sends and waits for the reply with the same opaque. */
    byte[] call(RemotingCommand request) throws IOException {
        request.setOpaque(nextOpaque++);
        socket.getOutputStream().write(Frames.encode(request, SerializeType.JSON));
        while (true) {
            byte[] frame = next();
            RemotingCommand command = Frames.decode(frame);
            if (command.isResponseType() && command.getOpaque() == request.getOpaque()) {
                return frame;
            }
            pushed.add(frame);
        }
    }

    /** The next frame of this code that the server sends on its own account. */
    byte[] awaitPush(int code) throws IOException {
        while (true) {
            for (byte[] frame : pushed) {
                if (Frames.decode(frame).getCode() == code) {
                    return frame;
                }
            }
            pushed.add(next());
        }
    }

    private byte[] next() throws IOException {
        int length = in.readInt();
        byte[] frame = new byte[4 + length];
        frame[0] = (byte) (length >>> 24);
        frame[1] = (byte) (length >>> 16);
        frame[2] = (byte) (length >>> 8);
        frame[3] = (byte) length;
        in.readFully(frame, 4, length);
        return frame;
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }

    /** A port with port - 2 (VIP) and port + 1 (replication) free as well. */
    static int freePort() throws IOException {
        while (true) {
            try (ServerSocket main = new ServerSocket()) {
                main.bind(new InetSocketAddress(0));
                int port = main.getLocalPort();
                if (port < 2000) {
                    continue;
                }
                try (ServerSocket vip = new ServerSocket(port - 2); ServerSocket ha = new ServerSocket(port + 1)) {
                    return port;
                } catch (IOException taken) {
                    // try another
                }
            }
        }
    }
}

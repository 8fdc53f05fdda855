package golden;

import java.io.File;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;

/**
 * Makes everything below compat-tests/golden with RocketMQ 4.7.0's own classes and servers.
 * Arguments: target folder, work folder, "all" or the part to be made alone ("ext": store/ext). Four arguments make this JVM
 * the one that is killed for store/killed.
 */
public final class Golden {
    private Golden() {
    }

    /** Ends the JVM either way: 4.7.0 leaves threads behind that would keep it alive. */
    public static void main(String[] args) {
        try {
            run(args);
            System.exit(0);
        } catch (Throwable problem) {
            problem.printStackTrace();
            System.exit(1);
        }
    }

    private static void run(String[] args) throws Exception {
        Path target = Paths.get(args[0]).normalize();
        Path work = Paths.get(args[1]).normalize();
        if (args.length > 3) {
            KilledStore.runUntilKilled(Paths.get(args[2]), Paths.get(args[3]));
            return;
        }
        delete(work);
        Files.createDirectories(work);

        Path store = target.resolve("store");
        if (args[2].equals("ext")) {
            delete(store.resolve("ext"));
            ExtStore.make(store.resolve("ext"), store);
            return;
        }
        Path wire = target.resolve("wire");
        delete(wire);
        delete(store);
        Files.createDirectories(store.resolve("config"));

        Frames frames = new Frames();
        CodecFrames.addAll(frames);
        NameServerFrames.record(frames, work.resolve("namesrv"), store.resolve("config"));
        BrokerFrames.record(frames, work.resolve("broker"), store.resolve("config"));
        frames.write(wire);

        CleanStore.make(store.resolve("clean"), store);
        KilledStore.make(store.resolve("killed"), work, store);
        ExtStore.make(store.resolve("ext"), store);
        System.out.println("golden files written to " + target);
    }

    static void delete(Path path) throws IOException {
        if (!Files.exists(path)) {
            return;
        }
        Files.walkFileTree(path, new SimpleFileVisitor<Path>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path folder, IOException error) throws IOException {
                Files.delete(folder);
                return FileVisitResult.CONTINUE;
            }
        });
    }

    static void copy(Path from, Path to) throws IOException {
        try (java.util.stream.Stream<Path> all = Files.walk(from)) {
            for (Path path : (Iterable<Path>) all::iterator) {
                Path twin = to.resolve(from.relativize(path).toString());
                if (Files.isDirectory(path)) {
                    Files.createDirectories(twin);
                } else {
                    Files.copy(path, twin, StandardCopyOption.REPLACE_EXISTING);
                }
            }
        }
    }

    static String java() {
        return System.getProperty("java.home") + File.separator + "bin" + File.separator + "java";
    }
}

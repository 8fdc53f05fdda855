package compat;

/** Where the servers of a scenario listen. */
final class Cluster {
    /** Every broker of the harness carries Java's default cluster name. */
    static final String NAME = "DefaultCluster";
    /** The broker's name in routes. */
    static final String BROKER = "broker-a";

    /** Name server addresses, parted by semicolons as clients take them. */
    final String namesrv;
    /** The broker's main address, host:port. */
    final String broker;

    Cluster(String namesrv, String broker) {
        this.namesrv = namesrv;
        this.broker = broker;
    }

    /** The VIP address: two ports below the main one. */
    String vip() {
        int colon = broker.indexOf(':');
        return broker.substring(0, colon + 1) + (Integer.parseInt(broker.substring(colon + 1)) - 2);
    }
}

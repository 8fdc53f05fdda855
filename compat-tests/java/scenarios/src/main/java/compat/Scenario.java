package compat;

/** One named case. It passes when it returns; what it throws is the report. */
interface Scenario {
    void run(Scene scene) throws Exception;
}

-- Ends a run with one line that bench.py reads; with BENCH_SCRIPT, in front of another script.
if os.getenv("BENCH_SCRIPT") then
    dofile(os.getenv("BENCH_SCRIPT"))
end

done = function(summary, latency)
    local errors = summary.errors
    io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration,
        errors.connect + errors.read + errors.write + errors.timeout + errors.status,
        latency:percentile(50), latency:percentile(99)))
end

-- One message after another in many sessions, every one with its own id, as wrk sends them.
local sessions = tonumber(os.getenv("BENCH_SESSIONS") or "2000")
local run = os.getenv("BENCH_RUN") or "0"
local said = {
    "two dry martinis please", "what is on the menu?", "and an ipa", "what do I owe you?",
    "make that two", "how much is a negroni?", "something strong, please", "hello there",
}
local at = 0

request = function()
    at = at + 1
    return wrk.format("POST", "/api/v1/chat", {
        ["Content-Type"] = "application/json",
        ["X-Session-ID"] = string.format("bench-%s-%05d", run, at % sessions),
    }, '{"user_input":"' .. said[at % #said + 1] .. '"}')
end

-- Each connection waits so long after an answer: a steady rate, not the most there is.
local delay_ms = tonumber(os.getenv("BENCH_DELAY_MS") or "0")
if delay_ms > 0 then
    delay = function() return delay_ms end
end

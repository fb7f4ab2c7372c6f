-- BENCH_SESSIONS sessions named after BENCH_NAME say BENCH_TURNS messages each, round by round; then only
-- /readyz is asked.
local sessions = tonumber(os.getenv("BENCH_SESSIONS"))
local name = os.getenv("BENCH_NAME")
local turns = tonumber(os.getenv("BENCH_TURNS"))
local said = {
    "hello there", "what is on the menu?", "two dry martinis please", "and an ipa",
    "how much is a negroni?", "make that two", "something strong, please",
    "what do I owe you?", "take the ipa off again", "leave a 15% tip",
}
local at = -1 -- wrk asks for one request that it never sends

request = function()
    if at < 0 or at >= sessions * turns then
        at = math.max(at, 0)
        return wrk.format("GET", "/readyz")
    end
    local session, turn = at % sessions, math.floor(at / sessions)
    at = at + 1
    return wrk.format("POST", "/api/v1/chat", {
        ["Content-Type"] = "application/json",
        ["X-Session-ID"] = string.format("sess_%s-%011d", name, session),
    }, '{"user_input":"' .. said[(turn + session) % #said + 1] .. '"}')
end

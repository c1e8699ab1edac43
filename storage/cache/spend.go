package cache

import "github.com/redis/go-redis/v9"

// spendScript is meter.next on the clock of Redis, so that nodes whose clocks
// differ share one. KEYS[1]: the limit; ARGV: burst and spend in microseconds. It
// returns the microseconds to wait, 0 if the spend was allowed. A limit that is
// full again has no key.
var spendScript = redis.NewScript(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local burst, spend = tonumber(ARGV[1]), tonumber(ARGV[2])
local stored = tonumber(redis.call('GET', KEYS[1]) or now)
local tat = math.min(math.max(stored, now), now + burst)
local new = math.max(tat + spend, now)
local wait = new - burst - now
if spend > 0 and wait > 0 then
  if tat < stored then -- the limit was lowered: its own wait counts, not the old one's
    redis.call('SET', KEYS[1], string.format('%.0f', tat), 'PX', math.ceil((tat - now) / 1000))
  end
  return wait
end
if new <= now then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], string.format('%.0f', new), 'PX', math.ceil((new - now) / 1000))
end
return 0
`)

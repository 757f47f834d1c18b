-- Counts what a node brings, in one step that nothing gets between: see book.py.
--
-- KEYS[1]: what the names of all keys begin with, in braces; all of them are in one slot.
-- ARGV[1], JSON:
--   node, now: who asks, and the time on its clock, in seconds
--   gates: elements as the node holds them: {element, at, state, rules}; `at` counts the log
--   votes: [element, user, options, connection] each
--   asked: the elements whose votes are asked for
--   here: pairs of an event and how many connections the node has to it
--   audited: whether accepted votes are to be written down one by one
--
-- Returns how long the log is, what is to be said to every vote ("" to those that count), for each
-- element asked for {state, voters, votes...}, and for each event of `here` the other nodes'
-- connections.

local NODE_S = 5 -- a node that has said nothing for this long is gone

local prefix = KEYS[1]
local told = cjson.decode(ARGV[1])
local time = redis.call('TIME')
local second = tonumber(time[1]) + tonumber(time[2]) / 1000000

local function key(kind, id)
  return prefix .. ':' .. kind .. ':' .. id
end

-- Elements as the producer has them. A node that is behind changes nothing.

for _, gate in ipairs(told.gates) do
  local held = key('gate', gate.element)
  if gate.at > tonumber(redis.call('HGET', held, 'at') or 0) then
    redis.call('HSET', held, 'at', gate.at, 'state', gate.state, 'rules', cjson.encode(gate.rules))
  end
end

local gates = {}

local function gate_of(element)
  if gates[element] == nil then
    local held = redis.call('HMGET', key('gate', element), 'state', 'rules')
    gates[element] = {state = held[1] or '', rules = held[2] and cjson.decode(held[2])}
  end
  return gates[element]
end

-- Votes: the decisions of ElementRecord.refusal, in the same order.

local function refusal(gate, ballot, options)
  if gate.state == '' or gate.state == 'revoked' then
    return 'unknown_element'
  elseif gate.state ~= 'opened' then
    return 'closed'
  end
  local rules = gate.rules
  if rules.verified then
    return 'not_allowed'
  elseif #options < rules.options_min or #options > rules.options_max then
    return 'wrong_options'
  end
  local seen = {}
  for _, option in ipairs(options) do
    if seen[option] or option < 0 or option >= rules.options then
      return 'wrong_options'
    end
    seen[option] = true
  end
  local cast = 0
  for option = 1, #ballot do
    cast = cast + ballot:byte(option)
  end
  if cast > 0 then
    for _, option in ipairs(options) do
      if ballot:byte(option + 1) >= rules.per_option then
        return rules.per_option == 1 and 'already_voted' or 'limit'
      end
    end
  end
  return cast + #options > rules.per_user and 'limit' or ''
end

local decisions, accepted = {}, {}
for number, vote in ipairs(told.votes) do
  local element, user, options, connection = vote[1], vote[2], vote[3], vote[4]
  local gate, ballots = gate_of(element), key('ballots', element)
  local ballot = redis.call('HGET', ballots, user) or ''
  local reason = refusal(gate, ballot, options)
  if reason == '' then
    if ballot == '' then
      ballot = string.rep('\0', gate.rules.options)
    end
    for _, option in ipairs(options) do
      local cast = string.char(ballot:byte(option + 1) + 1)
      ballot = ballot:sub(1, option) .. cast .. ballot:sub(option + 2)
      local tally = redis.call('HINCRBY', key('votes', element), option, 1)
      accepted[#accepted + 1] = {connection, user, element, option, tally}
    end
    redis.call('HSET', ballots, user, ballot)
  end
  decisions[number] = reason
end
if told.audited and #accepted > 0 then
  local line = {'node', told.node, 'now', string.format('%.6f', told.now)}
  redis.call('XADD', prefix .. ':accepted', '*', 'votes', cjson.encode(accepted), unpack(line))
end

-- What the node asks for.

local tallies = {}
for number, element in ipairs(told.asked) do
  local gate = gate_of(element)
  local tally = {gate.state, redis.call('HLEN', key('ballots', element))}
  for option = 0, (gate.rules and gate.rules.options or 0) - 1 do
    tally[#tally + 1] = tonumber(redis.call('HGET', key('votes', element), option) or 0)
  end
  tallies[number] = tally
end

local nodes = prefix .. ':nodes'
redis.call('ZADD', nodes, string.format('%.3f', second), told.node)
local elsewhere, others = {}, redis.call('ZRANGE', nodes, second - NODE_S, '+inf', 'BYSCORE')
for number, pair in ipairs(told.here) do
  local here, connections = key('here', pair[1]), 0
  redis.call('HSET', here, told.node, pair[2])
  for _, node in ipairs(others) do
    if node ~= told.node then
      connections = connections + tonumber(redis.call('HGET', here, node) or 0)
    end
  end
  elsewhere[number] = connections
end

return {redis.call('XLEN', prefix .. ':log'), decisions, tallies, elsewhere}

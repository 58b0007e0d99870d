-- Strided byte stores: primes up to half a million by Eratosthenes, n times.
local LIMIT = 500000
local composite = require("ffi").new("uint8_t[?]", LIMIT + 1)

return function(n)
  local found = 0
  for _ = 1, n do
    for i = 2, LIMIT do composite[i] = 0 end
    for i = 2, math.floor(math.sqrt(LIMIT)) do
      if composite[i] == 0 then
        for j = i * i, LIMIT, i do composite[j] = 1 end
      end
    end
    for i = 2, LIMIT do found = found + 1 - composite[i] end
  end
  return found
end

-- Comparisons and swaps at unforeseeable places: n numbers sorted by a heap.
local bit, MOST = require("bit"), 2 ^ 20
local numbers = require("ffi").new("int32_t[?]", MOST)

local function sink(at, size)
  local value = numbers[at]
  local child = 2 * at + 1
  while child < size do
    if child + 1 < size and numbers[child + 1] > numbers[child] then child = child + 1 end
    if numbers[child] <= value then break end
    numbers[at] = numbers[child]
    at = child
    child = 2 * at + 1
  end
  numbers[at] = value
end

return function(n)
  if n > MOST then n = MOST end
  local random, sum = 7, 0
  for i = 0, n - 1 do
    random = (random * 1664525 + 1013904223) % 2 ^ 32
    numbers[i] = bit.rshift(bit.tobit(random), 8)
  end
  for at = math.floor(n / 2) - 1, 0, -1 do sink(at, n) end
  for size = n - 1, 1, -1 do
    numbers[0], numbers[size] = numbers[size], numbers[0]
    sink(0, size)
  end
  for i = 0, n - 1 do sum = (sum * 31 + numbers[i]) % 2 ^ 32 end
  return sum
end

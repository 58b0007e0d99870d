-- A short float loop with a data-dependent end: the Mandelbrot set on n by n points.
local MOST = 60

return function(n)
  local sum = 0
  for py = 0, n - 1 do
    for px = 0, n - 1 do
      local cr, ci, zr, zi = 2 * px / n - 1.5, 2 * py / n - 1, 0, 0
      local turn = 0
      while turn < MOST and zr * zr + zi * zi < 4 do
        zr, zi = zr * zr - zi * zi + cr, 2 * zr * zi + ci
        turn = turn + 1
      end
      sum = (sum * 31 + turn) % 2 ^ 32
    end
  end
  return sum
end

-- From a suggestion and the text around the cursor to what is drawn. Pure: text in, values out.

local M = {}

--- Find the text after the cursor inside the ghost line, so that a closing bracket which the editor already put there
--- is shown once. Matched from the right: with `f(a)|)` the last bracket is the one that stays.
---@param line string   ghost text of the cursor's own line
---@param after string  what the suggestion replaces after the cursor
---@param col integer   byte column of the cursor
---@return spark.Piece[]? pieces nil when `after` does not occur in order
local function weave(line, after, col)
  local pieces = {} ---@type spark.Piece[]
  local line_end = #line
  for index = #after, 1, -1 do
    local at = line_end
    while at >= 1 and line:byte(at) ~= after:byte(index) do
      at = at - 1
    end
    if at < 1 then
      return nil
    end
    table.insert(pieces, 1, { col = col + index, text = line:sub(at + 1, line_end) })
    line_end = at - 1
  end
  table.insert(pieces, 1, { col = col, text = line:sub(1, line_end) })
  return vim.tbl_filter(function(piece)
    return piece.text ~= ""
  end, pieces)
end

--- Returns nil when what stands before the cursor is not the start of the suggestion, or nothing is left to show.
---@param text string    the whole suggestion
---@param before string  what is already there of it, from the range's start to the cursor
---@param after string   what it replaces after the cursor
---@param row integer
---@param col integer
---@return spark.View?
function M.compute(text, before, after, row, col)
  if not vim.startswith(text, before) then
    return nil
  end
  local rest = text:sub(#before + 1)
  if rest == after then
    return nil
  end
  local lines = vim.split(rest, "\n", { plain = true })
  local first = table.remove(lines, 1)
  -- Text after the cursor that is not part of the first line stays readable: it is replaced only on acceptance.
  local pieces = weave(first, after, col) or { { col = col, text = first } }
  return { row = row, col = col, rest = rest, pieces = pieces, below = lines }
end

return M

-- The keys of a buffer. Each acts on a visible suggestion only and is itself otherwise.

local fallback = require("spark.fallback")

local M = {}

--- <Tab> at the start of a line means "indent" to the hand; it does not accept a suggestion that begins with
--- indentation.
---@return boolean
local function is_indent()
  local _, view = require("spark.ghost").get()
  local col = vim.api.nvim_win_get_cursor(0)[2]
  local before = vim.api.nvim_get_current_line():sub(1, col)
  return view ~= nil and before:match("^%s*$") ~= nil and view.rest:match("^[ \t]") ~= nil
end

---@alias spark.KeyName "accept"|"accept_word"|"accept_line"|"dismiss"|"next"|"previous"|"request"

---@class spark.KeyRow
---@field name spark.KeyName      field of spark.Keys
---@field run spark.KeyName       function of require("spark")
---@field accepts? boolean        it changes the text
---@field when? fun(): boolean    default: a suggestion is visible

---@type spark.KeyRow[]
local rows = {
  { name = "accept", run = "accept", accepts = true },
  { name = "accept_word", run = "accept_word", accepts = true },
  { name = "accept_line", run = "accept_line", accepts = true },
  { name = "dismiss", run = "dismiss" },
  { name = "next", run = "next" },
  { name = "previous", run = "previous" },
  {
    name = "request",
    run = "request",
    when = function()
      return true
    end,
  },
}

---@param row spark.KeyRow
---@param lhs string
---@return string keys
local function press(row, lhs)
  local ready = (row.when or require("spark").visible)()
  if ready and lhs:lower() == "<tab>" and is_indent() then
    ready = false
  end
  if not ready then
    return fallback.keys(lhs)
  end
  -- <C-g>u: what was accepted is undone in one step, without what was typed before it.
  local undo_point = row.accepts and "<C-g>u" or ""
  return ("%s<Cmd>lua require('spark').%s()<CR>"):format(undo_point, row.run)
end

---@param bufnr integer
---@param keys spark.Keys
function M.map(bufnr, keys)
  for _, row in ipairs(rows) do
    local lhs = keys[row.name]
    if lhs then
      vim.keymap.set("i", lhs, function()
        return press(row, lhs)
      end, { buffer = bufnr, expr = true, replace_keycodes = true, desc = "Spark: " .. row.name:gsub("_", " ") })
    end
  end
end

--- On Neovim's own inline completion a suggestion that cannot be taken after all leaves the key to what it did before.
---@param bufnr integer
---@param keys spark.Keys
function M.map_builtin(bufnr, keys)
  for _, row in ipairs(rows) do
    local lhs = keys[row.name]
    if lhs then
      vim.keymap.set("i", lhs, function()
        if not (row.when or require("spark.builtin").visible)() or not require("spark")[row.run]() then
          return fallback.keys(lhs)
        end
        return row.accepts and "<C-g>u" or ""
      end, { buffer = bufnr, expr = true, replace_keycodes = true, desc = "Spark: " .. row.name:gsub("_", " ") })
    end
  end
end

---@param bufnr integer
---@param keys spark.Keys
function M.unmap(bufnr, keys)
  for _, row in ipairs(rows) do
    if keys[row.name] then
      pcall(vim.keymap.del, "i", keys[row.name], { buffer = bufnr })
    end
  end
end

return M

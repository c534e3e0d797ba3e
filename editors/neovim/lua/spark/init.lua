-- The public face: what a user's configuration may call. Everything else under lua/spark may change.

local M = {}

--- Start Spark with options. Not needed for the defaults: vim.lsp.enable("spark") is enough.
---@param opts? table see |spark-options|
function M.setup(opts)
  local config = require("spark.config")
  config.set(opts)
  local lsp = {} ---@type vim.lsp.Config
  lsp.cmd = config.current.cmd
  if config.current.settings then
    lsp.settings = { spark = config.current.settings }
  end
  vim.lsp.config("spark", lsp)
  vim.lsp.enable("spark")
end

--- One short text for the statusline; empty where Spark does not run.
---@return string
function M.status()
  return require("spark.status").component()
end

--- Call a function of whatever shows the suggestions.
---@param name "visible"|"accept"|"accept_word"|"accept_line"|"dismiss"|"turn"|"request"
---@param step? integer
---@return boolean
local function shower(name, step)
  if require("spark.config").builtin() then
    local show = require("spark.builtin")[name] ---@type fun(step?: integer): boolean
    return show(step)
  end
  ---@type table<string, fun(step?: integer): boolean>
  local own = {
    visible = require("spark.ghost").visible,
    accept = require("spark.accept").all,
    accept_word = require("spark.accept").word,
    accept_line = require("spark.accept").line,
    dismiss = require("spark.ghost").dismiss,
    turn = require("spark.ghost").turn,
    request = require("spark.ghost").by_hand,
  }
  return own[name](step)
end

--- Whether a suggestion is on the screen at the cursor.
---@return boolean
function M.visible()
  return shower("visible")
end

---@return boolean accepted
function M.accept()
  return shower("accept")
end

---@return boolean accepted
function M.accept_word()
  return shower("accept_word")
end

---@return boolean accepted
function M.accept_line()
  return shower("accept_line")
end

---@return boolean dismissed
function M.dismiss()
  return shower("dismiss")
end

--- Show the next candidate. While typing there is one; the others are asked for by hand, and come a little later.
---@return boolean visible
function M.next()
  return shower("turn", 1)
end

--- Show the candidate before.
---@return boolean visible
function M.previous()
  return shower("turn", -1)
end

--- Ask for a suggestion by hand; the server takes more time for it than while typing.
---@return boolean asked
function M.request()
  return shower("request")
end

--- Show or stop showing suggestions. The server keeps running.
---@param on? boolean nil toggles
---@return boolean on
function M.toggle(on)
  return require("spark.attach").toggle(on)
end

return M

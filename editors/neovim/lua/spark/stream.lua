-- Partial results: who waits for which token.

---@class spark.Partial      value of $/progress in one of our streams
---@field sequence integer
---@field items spark.Item[]

local M = {}

local prefix = "spark-stream-"
local count = 0
local listeners = {} ---@type table<lsp.ProgressToken, fun(value: spark.Partial)>

--- The returned token identifies the stream until `close`. Values are cumulative, so one that comes late is dropped.
---@param on_items fun(items: spark.Item[])
---@return string token
function M.open(on_items)
  count = count + 1
  local token = prefix .. count
  local last = -1
  listeners[token] = function(value)
    if value.sequence > last then
      last = value.sequence
      on_items(value.items)
    end
  end
  return token
end

---@param token string
function M.close(token)
  listeners[token] = nil
end

--- Handler of $/progress. Everything but our streams is work-done progress and goes to Neovim's own handler.
---@param err? lsp.ResponseError
---@param params lsp.ProgressParams
---@param ctx lsp.HandlerContext
function M.on_progress(err, params, ctx)
  local listener = listeners[params.token] ---@type fun(value: spark.Partial)?
  if listener then
    listener(params.value --[[@as spark.Partial]])
  elseif not vim.startswith(tostring(params.token), prefix) then
    return vim.lsp.handlers["$/progress"](err, params, ctx)
  end
end

return M
